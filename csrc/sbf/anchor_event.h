/* anchor_event.h has what Anchor's emit_cpi! does: a program tells of an event by calling itself with
   it, signed by the address derived from "__event_authority"; and error numbers that such programs use.

   Source: anchor-lang 0.31 `event.rs`, `error.rs`, `common.rs`. */

#ifndef SF_SBF_ANCHOR_EVENT_H
#define SF_SBF_ANCHOR_EVENT_H

#include "sbf/anchor.h"

#define ANCHOR_EVENT_TAG 0x1d9acb512ea545e4UL /* in front of an event that a program sends to itself */

ANCHOR_ERROR( ANCHOR_HAS_ONE, 2001, "ConstraintHasOne", "A has one constraint was violated" );
ANCHOR_ERROR( ANCHOR_SIGNER, 2002, "ConstraintSigner", "A signer constraint was violated" );
ANCHOR_ERROR( ANCHOR_ASSOCIATED, 2009, "ConstraintAssociated", "An associated constraint was violated" );
ANCHOR_ERROR( ANCHOR_TOKEN_MINT, 2014, "ConstraintTokenMint", "A token mint constraint was violated" );
ANCHOR_ERROR( ANCHOR_TOKEN_PROGRAM, 2021, "ConstraintTokenTokenProgram",
              "A token account token program constraint was violated" );
ANCHOR_ERROR( ANCHOR_NOT_MUTABLE, 3006, "AccountNotMutable", "The given account is not mutable" );

/* An event of a program: `data` begins with room for the eight bytes of ANCHOR_EVENT_TAG. */
typedef struct anchor_event {
  uint8_t const * program_id;
  sbf_account_t const * authority;
  uint8_t * data;
  uint64_t len;
  uint8_t bump; /* of the authority's address */
} anchor_event_t;

/* anchor_event_send makes the program call itself with the event.  A failure ends the program. */
SBF_FUNCTION void anchor_event_send( anchor_event_t const * event ) {
  static uint8_t const seed[] = "__event_authority";
  sbf_account_t authority     = *event->authority;
  sbf_bytes_t seeds[2]        = { { seed, sizeof( seed ) - 1 }, { &event->bump, 1 } };
  sbf_signer_t signer         = { seeds, 2 };
  sbf_meta_t meta             = { .key = authority.key, .is_signer = 1 };
  sbf_put_u64( event->data, ANCHOR_EVENT_TAG );
  sbf_call_t call = { event->program_id, &meta, 1, event->data, event->len };
  sol_invoke_signed_c( &call, &authority, 1, &signer, 1 );
}

/* anchor_event_receive takes an event that the program sent to itself; `first` is its first account. */
SBF_FUNCTION uint64_t anchor_event_receive( sbf_instruction_t const * instruction, sbf_account_t const * first,
                                            uint8_t const * authority ) {
  ANCHOR_REQUIRE( instruction->account_count, 0, ANCHOR_NOT_ENOUGH_KEYS );
  ANCHOR_REQUIRE( first->is_signer, "event_authority", ANCHOR_SIGNER );
  ANCHOR_REQUIRE( sbf_key_equal( first->key, authority ), "event_authority", ANCHOR_CONSTRAINT_SEEDS );
  return 0;
}

/* anchor_find returns the error of that number among `count`, or NULL. */
SBF_FUNCTION anchor_error_t const * anchor_find( anchor_error_t const * const * errors, uint64_t count,
                                                 uint64_t number ) {
  for( uint64_t i = 0; i < count; i++ )
    if( errors[i]->number == number ) return errors[i];
  return 0;
}

#endif
