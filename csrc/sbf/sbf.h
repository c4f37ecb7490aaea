/* sbf.h is what a C program needs to run inside Solana's virtual machine (SBPF version 0): the
   accounts and data of its instruction, the system calls it may make, and 128-bit integers.

   A program is one C file with one entrypoint().  It is compiled by `clang -target bpf -mcpu=v2` and
   linked by sniperforge/simnet/sbf.py.  What that target asks of the code:

     - no libc, no writable globals, no recursion without need (64 call frames);
     - at most five word-sized arguments a function, and a result of at most one word (a struct may
       be returned by a function that is always inlined: SBF_INLINE);
     - no __int128 arithmetic (multiplying, dividing, shifting by a variable are libcalls that do not
       exist): use sbf_u128_t below;
     - at most 512 bytes of arrays and structs a function, counted after inlining (clang-14's limit;
       the machine has 4096 a frame): what is larger, and anything kept for the whole run, lives in
       the heap, which is zero when a program starts; SBF_FUNCTION keeps frames apart;
     - division by zero stops the program; so does reading or writing outside the regions:

         0x1_0000_0000  the program's file      0x2_0000_0000  stack
         0x3_0000_0000  heap, 32 KiB            0x4_0000_0000  input: accounts and data

   A program returns 0, or a code from 1 to 2^32-1 that the caller sees as InstructionError Custom,
   or one of SBF_ERR_*, the runtime's own errors. */

#ifndef SF_SBF_SBF_H
#define SF_SBF_SBF_H

#include <stdbool.h>
#include <stdint.h>

#define SBF_INLINE   static inline __attribute__( ( always_inline, unused ) )
#define SBF_FUNCTION static __attribute__( ( noinline, unused ) )

#define SBF_HEAP ( (void *)0x300000000UL )

/* The runtime's own errors, as a program returns them. */
#define SBF_ERR_INVALID_INSTRUCTION_DATA ( 3UL << 32 )
#define SBF_ERR_INVALID_ACCOUNT_DATA     ( 4UL << 32 )
#define SBF_ERR_UNINITIALIZED_ACCOUNT    ( 10UL << 32 )

#define SBF_TRY( expr )             \
  do {                              \
    uint64_t sbf_code = ( expr );   \
    if( sbf_code ) return sbf_code; \
  } while( 0 )

/* ---- accounts and instruction data ------------------------------------------------------------ */

/* One account, as parsed from the input region and as handed to another program: the same layout. */
typedef struct sbf_account {
  uint8_t * key; /* 32 bytes */
  uint64_t * lamports;
  uint64_t data_len;
  uint8_t * data;
  uint8_t * owner; /* 32 bytes */
  uint64_t rent_epoch;
  uint8_t is_signer;
  uint8_t is_writable;
  uint8_t executable;
  uint8_t _pad[5];
} sbf_account_t;

typedef struct sbf_instruction {
  uint64_t account_count; /* of the instruction, not of those stored */
  uint8_t const * data;
  uint64_t data_len;
  uint8_t const * program_id; /* the running program */
} sbf_instruction_t;

typedef uint16_t __attribute__( ( may_alias ) ) sbf_u16_alias_t;
typedef uint32_t __attribute__( ( may_alias ) ) sbf_u32_alias_t;
typedef uint64_t __attribute__( ( may_alias ) ) sbf_u64_alias_t;

/* Little-endian fields at any address: the machine allows unaligned access. */
SBF_INLINE uint16_t sbf_u16( uint8_t const * p ) { return *(sbf_u16_alias_t const *)p; }
SBF_INLINE uint64_t sbf_u64( uint8_t const * p ) { return *(sbf_u64_alias_t const *)p; }
SBF_INLINE void sbf_put_u16( uint8_t * p, uint16_t v ) { *(sbf_u16_alias_t *)p = v; }
SBF_INLINE void sbf_put_u64( uint8_t * p, uint64_t v ) { *(sbf_u64_alias_t *)p = v; }

/* sbf_key_equal says whether two 32-byte keys are the same. */
SBF_INLINE bool sbf_key_equal( uint8_t const * a, uint8_t const * b ) {
  return sbf_u64( a ) == sbf_u64( b ) && sbf_u64( a + 8 ) == sbf_u64( b + 8 ) &&
         sbf_u64( a + 16 ) == sbf_u64( b + 16 ) && sbf_u64( a + 24 ) == sbf_u64( b + 24 );
}

SBF_INLINE void sbf_key_copy( uint8_t * to, uint8_t const * from ) {
  for( int i = 0; i < 32; i += 8 ) sbf_put_u64( to + i, sbf_u64( from + i ) );
}

/* sbf_parse reads the input region.  It stores the first `max` accounts into `accounts` (an account
   given twice is stored twice, sharing data and lamports) and fills `instruction`. */
SBF_FUNCTION void sbf_parse( uint8_t * input, sbf_account_t * accounts, uint64_t max,
                             sbf_instruction_t * instruction ) {
  uint64_t count = sbf_u64( input );
  uint8_t * p    = input + 8;
  for( uint64_t i = 0; i < count; i++ ) {
    if( p[0] != 0xff ) { /* the same account as number p[0] */
      if( i < max ) accounts[i] = accounts[p[0]];
      p += 8;
      continue;
    }
    uint64_t data_len = sbf_u64( p + 80 );
    uint8_t * end     = p + 88 + data_len + 10240; /* room in which the account may grow */
    end += -(uint64_t)end & 7;
    if( i < max ) {
      sbf_account_t * account = accounts + i;
      account->is_signer      = p[1];
      account->is_writable    = p[2];
      account->executable     = p[3];
      account->key            = p + 8;
      account->owner          = p + 40;
      account->lamports       = (uint64_t *)( p + 72 );
      account->data_len       = data_len;
      account->data           = p + 88;
      account->rent_epoch     = sbf_u64( end );
    }
    p = end + 8;
  }
  instruction->account_count = count;
  instruction->data_len      = sbf_u64( p );
  instruction->data          = p + 8;
  instruction->program_id    = p + 8 + instruction->data_len;
}

/* ---- system calls ------------------------------------------------------------------------------ */

typedef struct sbf_bytes {
  uint8_t const * data;
  uint64_t len;
} sbf_bytes_t;

typedef struct sbf_clock {
  uint64_t slot;
  int64_t epoch_start_timestamp;
  uint64_t epoch;
  uint64_t leader_schedule_epoch;
  int64_t unix_timestamp;
} sbf_clock_t;

typedef struct sbf_meta {
  uint8_t const * key;
  uint8_t is_writable, is_signer, _pad[6];
} sbf_meta_t;

/* A call of another program. */
typedef struct sbf_call {
  uint8_t const * program_id;
  sbf_meta_t const * metas;
  uint64_t meta_count;
  uint8_t const * data;
  uint64_t data_len;
} sbf_call_t;

/* The seeds of one program-derived address that signs a call, its bump last. */
typedef struct sbf_signer {
  sbf_bytes_t const * seeds;
  uint64_t seed_count;
} sbf_signer_t;

extern void abort( void );
extern uint64_t sol_log_( uint8_t const * text, uint64_t len );
extern uint64_t sol_log_data( sbf_bytes_t const * fields, uint64_t field_count );
extern uint64_t sol_get_clock_sysvar( sbf_clock_t * clock );
extern uint64_t sol_invoke_signed_c( sbf_call_t const * call, sbf_account_t const * accounts, uint64_t account_count,
                                     sbf_signer_t const * signers, uint64_t signer_count );

#define SBF_LOG( literal ) sol_log_( (uint8_t const *)( literal ), sizeof( literal ) - 1 )

/* SBF_REQUIRE stops the program as a Rust panic does (ProgramFailedToComplete) unless cond holds. */
#define SBF_REQUIRE( cond, literal )   \
  do {                                 \
    if( !( cond ) ) {                  \
      SBF_LOG( "panicked: " literal ); \
      abort();                         \
    }                                  \
  } while( 0 )

/* ---- 128-bit integers --------------------------------------------------------------------------- */

typedef struct sbf_u128 {
  uint64_t lo, hi;
} sbf_u128_t;

SBF_INLINE sbf_u128_t sbf_u128( uint64_t value ) { return ( sbf_u128_t ){ value, 0 }; }

SBF_INLINE bool sbf_u128_less( sbf_u128_t a, sbf_u128_t b ) { return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo; }

/* Sum and difference wrap around. */
SBF_INLINE sbf_u128_t sbf_u128_add( sbf_u128_t a, sbf_u128_t b ) {
  uint64_t lo = a.lo + b.lo;
  return ( sbf_u128_t ){ lo, a.hi + b.hi + ( lo < a.lo ) };
}

SBF_INLINE sbf_u128_t sbf_u128_sub( sbf_u128_t a, sbf_u128_t b ) {
  return ( sbf_u128_t ){ a.lo - b.lo, a.hi - b.hi - ( a.lo < b.lo ) };
}

/* sbf_mul64 sets *product to a*b, in full. */
SBF_FUNCTION void sbf_mul64( sbf_u128_t * product, uint64_t a, uint64_t b ) {
  uint64_t a0 = a & 0xffffffffUL, a1 = a >> 32, b0 = b & 0xffffffffUL, b1 = b >> 32;
  uint64_t low = a0 * b0, mid = a1 * b0 + ( low >> 32 ), cross = a0 * b1 + ( mid & 0xffffffffUL );
  product->lo = ( cross << 32 ) | ( low & 0xffffffffUL );
  product->hi = a1 * b1 + ( mid >> 32 ) + ( cross >> 32 );
}

/* sbf_u128_mul64 sets *product to a*b and returns true, or false when it needs more than 128 bits. */
SBF_FUNCTION bool sbf_u128_mul64( sbf_u128_t * product, sbf_u128_t const * a, uint64_t b ) {
  sbf_u128_t high, low;
  sbf_mul64( &high, a->hi, b );
  sbf_mul64( &low, a->lo, b );
  uint64_t hi = low.hi + high.lo;
  *product    = ( sbf_u128_t ){ low.lo, hi };
  return !high.hi && hi >= low.hi;
}

/* sbf_div_step returns (hi:lo)/d and sets *rest.  Needs hi < d (Knuth's D, two 32-bit digits). */
SBF_FUNCTION uint64_t sbf_div_step( uint64_t hi, uint64_t lo, uint64_t d, uint64_t * rest ) {
  uint64_t shift = 0;
  for( uint64_t step = 32; step; step >>= 1 ) {
    if( !( d >> ( 64 - step ) ) ) {
      d <<= step;
      shift += step;
    }
  }
  if( shift ) {
    hi = ( hi << shift ) | ( lo >> ( 64 - shift ) );
    lo <<= shift;
  }
  uint64_t d1 = d >> 32, d0 = d & 0xffffffffUL, quotient = 0;
  for( int digit = 0; digit < 2; digit++ ) {
    uint64_t next = digit ? lo & 0xffffffffUL : lo >> 32;
    uint64_t q = hi / d1, r = hi % d1;
    while( q >> 32 || q * d0 > ( ( r << 32 ) | next ) ) {
      q--;
      r += d1;
      if( r >> 32 ) break;
    }
    hi       = ( ( hi << 32 ) | next ) - q * d;
    quotient = ( quotient << 32 ) | q;
  }
  *rest = hi >> shift;
  return quotient;
}

/* sbf_u128_div sets *quotient to n/d and *rest to n%d.  Needs d != 0. */
SBF_FUNCTION void sbf_u128_div( sbf_u128_t * quotient, sbf_u128_t * rest, sbf_u128_t const * n, sbf_u128_t const * d ) {
  if( !d->hi ) {
    uint64_t r    = 0;
    uint64_t high = n->hi < d->lo ? 0 : n->hi / d->lo;
    quotient->lo  = sbf_div_step( n->hi - high * d->lo, n->lo, d->lo, &r );
    quotient->hi  = high;
    *rest         = sbf_u128( r );
    return;
  }
  /* A divisor of more than 64 bits: its upper 64 estimate the quotient, at most one too high. */
  uint64_t top = d->hi, low = d->lo, shift = 0, ignored;
  while( !( top >> 63 ) ) {
    top = ( top << 1 ) | ( low >> 63 );
    low <<= 1;
    shift++;
  }
  uint64_t q = sbf_div_step( n->hi >> 1, ( n->hi << 63 ) | ( n->lo >> 1 ), top, &ignored );
  q >>= 63 - shift;
  if( q ) q--;
  sbf_u128_t product, r;
  sbf_u128_mul64( &product, d, q );
  r = sbf_u128_sub( *n, product );
  if( !sbf_u128_less( r, *d ) ) {
    q++;
    r = sbf_u128_sub( r, *d );
  }
  *quotient = sbf_u128( q );
  *rest     = r;
}

/* sbf_mul_div sets *quotient to a*b/d, rounded up or down.  Needs d != 0. */
SBF_FUNCTION void sbf_mul_div( sbf_u128_t * quotient, uint64_t a, uint64_t b, uint64_t d, bool round_up ) {
  sbf_u128_t product, rest, divisor = sbf_u128( d );
  sbf_mul64( &product, a, b );
  sbf_u128_div( quotient, &rest, &product, &divisor );
  if( round_up && rest.lo ) *quotient = sbf_u128_add( *quotient, sbf_u128( 1 ) );
}

#endif
