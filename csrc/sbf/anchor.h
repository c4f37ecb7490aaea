/* anchor.h has what the Anchor framework does around a program: account checks in its order, with its
   error numbers and log lines.

   Source: anchor-lang 0.31 `error.rs`, `accounts/`, and its derive macro: all accounts are read in
   order first, then the constraints of each are checked in order. */

#ifndef SF_SBF_ANCHOR_H
#define SF_SBF_ANCHOR_H

#include "sbf/token.h"

typedef struct anchor_error {
  char const * name;
  char const * message;
  uint64_t number;
} anchor_error_t;

#define ANCHOR_ERROR( symbol, number, name, message ) \
  static anchor_error_t const symbol __attribute__( ( unused ) ) = { name, message, number }

ANCHOR_ERROR( ANCHOR_FALLBACK_NOT_FOUND, 101, "InstructionFallbackNotFound", "Fallback functions are not supported" );
ANCHOR_ERROR( ANCHOR_DID_NOT_DESERIALIZE, 102, "InstructionDidNotDeserialize",
              "The program could not deserialize the given instruction" );
ANCHOR_ERROR( ANCHOR_CONSTRAINT_MUT, 2000, "ConstraintMut", "A mut constraint was violated" );
ANCHOR_ERROR( ANCHOR_CONSTRAINT_RAW, 2003, "ConstraintRaw", "A raw constraint was violated" );
ANCHOR_ERROR( ANCHOR_CONSTRAINT_SEEDS, 2006, "ConstraintSeeds", "A seeds constraint was violated" );
ANCHOR_ERROR( ANCHOR_CONSTRAINT_ADDRESS, 2012, "ConstraintAddress", "An address constraint was violated" );
ANCHOR_ERROR( ANCHOR_REQUIRE_GT, 2505, "RequireGtViolated", "A require_gt expression was violated" );
ANCHOR_ERROR( ANCHOR_NO_DISCRIMINATOR, 3001, "AccountDiscriminatorNotFound",
              "No discriminator was found on the account" );
ANCHOR_ERROR( ANCHOR_WRONG_DISCRIMINATOR, 3002, "AccountDiscriminatorMismatch",
              "Account discriminator did not match what was expected" );
ANCHOR_ERROR( ANCHOR_ACCOUNT_DID_NOT_DESERIALIZE, 3003, "AccountDidNotDeserialize",
              "Failed to deserialize the account" );
ANCHOR_ERROR( ANCHOR_NOT_ENOUGH_KEYS, 3005, "AccountNotEnoughKeys",
              "Not enough account keys given to the instruction" );
ANCHOR_ERROR( ANCHOR_WRONG_OWNER, 3007, "AccountOwnedByWrongProgram",
              "The given account is owned by a different program than expected" );
ANCHOR_ERROR( ANCHOR_INVALID_PROGRAM_ID, 3008, "InvalidProgramId", "Program ID was not as expected" );
ANCHOR_ERROR( ANCHOR_NOT_EXECUTABLE, 3009, "InvalidProgramExecutable", "Program account is not executable" );
ANCHOR_ERROR( ANCHOR_NOT_SIGNER, 3010, "AccountNotSigner", "The given account did not sign" );
ANCHOR_ERROR( ANCHOR_NOT_INITIALIZED, 3012, "AccountNotInitialized",
              "The program expected this account to be already initialized" );
ANCHOR_ERROR( ANCHOR_WRONG_PROGRAM, 4100, "DeclaredProgramIdMismatch",
              "The declared program id does not match the actual program id" );

SBF_FUNCTION uint64_t anchor_append( uint8_t * text, uint64_t len, char const * more ) {
  while( *more ) text[len++] = (uint8_t)*more++;
  return len;
}

/* anchor_fail logs an error in Anchor's words and returns its number.  `account` is the name of the
   account that caused it, or NULL. */
SBF_FUNCTION uint64_t anchor_fail( char const * account, anchor_error_t const * error ) {
  uint8_t text[256]; /* the longest message above needs 230 */
  uint64_t len = 0;
  if( account ) {
    len = anchor_append( text, len, "AnchorError caused by account: " );
    len = anchor_append( text, len, account );
  } else {
    len = anchor_append( text, len, "AnchorError occurred" );
  }
  len            = anchor_append( text, len, ". Error Code: " );
  len            = anchor_append( text, len, error->name );
  len            = anchor_append( text, len, ". Error Number: " );
  uint64_t scale = 1;
  while( error->number / scale >= 10 ) scale *= 10;
  for( ; scale; scale /= 10 ) text[len++] = (uint8_t)( '0' + error->number / scale % 10 );
  len         = anchor_append( text, len, ". Error Message: " );
  len         = anchor_append( text, len, error->message );
  text[len++] = '.';
  sol_log_( text, len );
  return error->number;
}

#define ANCHOR_REQUIRE( cond, account, error )             \
  do {                                                     \
    if( !( cond ) ) return anchor_fail( account, &error ); \
  } while( 0 )

/* anchor_check_owned checks an account that holds the program's own data (AccountLoader). */
SBF_FUNCTION uint64_t anchor_check_owned( sbf_account_t const * account, char const * name, uint8_t const * program_id,
                                          uint64_t discriminator ) {
  ANCHOR_REQUIRE( sbf_key_equal( account->owner, program_id ), name, ANCHOR_WRONG_OWNER );
  ANCHOR_REQUIRE( account->data_len >= 8, name, ANCHOR_NO_DISCRIMINATOR );
  ANCHOR_REQUIRE( sbf_u64( account->data ) == discriminator, name, ANCHOR_WRONG_DISCRIMINATOR );
  return 0;
}

/* anchor_check_exists refuses an account that was never created (Account, InterfaceAccount). */
SBF_FUNCTION uint64_t anchor_check_exists( sbf_account_t const * account, char const * name ) {
  static uint8_t const system_program[32];
  bool missing = !*account->lamports && sbf_key_equal( account->owner, system_program );
  ANCHOR_REQUIRE( !missing, name, ANCHOR_NOT_INITIALIZED );
  return 0;
}

SBF_FUNCTION uint64_t anchor_check_token_account( sbf_account_t const * account, char const * name ) {
  SBF_TRY( anchor_check_exists( account, name ) );
  ANCHOR_REQUIRE( token_is_program( account->owner ), name, ANCHOR_WRONG_OWNER );
  return token_account_check( account );
}

SBF_FUNCTION uint64_t anchor_check_mint( sbf_account_t const * mint, char const * name ) {
  SBF_TRY( anchor_check_exists( mint, name ) );
  ANCHOR_REQUIRE( token_is_program( mint->owner ), name, ANCHOR_WRONG_OWNER );
  return token_mint_check( mint );
}

SBF_FUNCTION uint64_t anchor_check_token_program( sbf_account_t const * program, char const * name ) {
  ANCHOR_REQUIRE( token_is_program( program->key ), name, ANCHOR_INVALID_PROGRAM_ID );
  ANCHOR_REQUIRE( program->executable, name, ANCHOR_NOT_EXECUTABLE );
  return 0;
}

#endif
