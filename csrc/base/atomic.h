/* atomic.h: the only way shared words are touched.

   Loads and stores of 32- and 64-bit words with the order in the name, and
   payload copies as 64-bit words with acquire loads and release stores: plain
   moves on x86-64, clean under ThreadSanitizer, no fences.  The macros take a
   pointer to uint32_t or uint64_t. */

#ifndef SF_BASE_ATOMIC_H
#define SF_BASE_ATOMIC_H
#include <stdint.h>
#include <string.h>

#define SF_INLINE        static inline __attribute__( ( always_inline ) )
#define SF_LIKELY( c )   __builtin_expect( !!( c ), 1 )
#define SF_UNLIKELY( c ) __builtin_expect( !!( c ), 0 )

#if defined( __SANITIZE_THREAD__ )
#define SF_TSAN 1
#elif defined( __has_feature )
#if __has_feature( thread_sanitizer )
#define SF_TSAN 1
#endif
#endif
#ifndef SF_TSAN
#define SF_TSAN 0
#endif

#define sf_load_acquire( p )     __atomic_load_n( ( p ), __ATOMIC_ACQUIRE )
#define sf_load_relaxed( p )     __atomic_load_n( ( p ), __ATOMIC_RELAXED )
#define sf_store_release( p, v ) __atomic_store_n( ( p ), ( v ), __ATOMIC_RELEASE )
#define sf_store_relaxed( p, v ) __atomic_store_n( ( p ), ( v ), __ATOMIC_RELAXED )

/* sf_fetch_add adds v and returns the value before; sf_swap stores v and
   returns the value before.  Both are full barriers on x86-64. */
#define sf_fetch_add( p, v ) __atomic_fetch_add( ( p ), ( v ), __ATOMIC_SEQ_CST )
#define sf_swap( p, v )      __atomic_exchange_n( ( p ), ( v ), __ATOMIC_SEQ_CST )

/* sf_cas stores desired if the word is expected; 1 if it did. */
SF_INLINE int sf_cas( uint64_t * p, uint64_t expected, uint64_t desired ) {
  return __atomic_compare_exchange_n( p, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED );
}

/* sf_fetch_max raises the word to at least v and returns the value before.
   Safe in a signal handler. */
SF_INLINE uint64_t sf_fetch_max( uint64_t * p, uint64_t v ) {
  uint64_t have = sf_load_relaxed( p );
  while( have < v && !__atomic_compare_exchange_n( p, &have, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED ) ) {}
  return have;
}

/* sf_full_barrier orders all stores before it before all loads after it. */
SF_INLINE void sf_full_barrier( void ) {
#if SF_TSAN
  uint64_t word = 0;
  (void)sf_swap( &word, 1UL );
#else
  __atomic_thread_fence( __ATOMIC_SEQ_CST );
#endif
}

/* sf_pause is the one pause of a poll loop. */
SF_INLINE void sf_pause( void ) { __builtin_ia32_pause(); }

/* sf_compiler_barrier keeps the compiler from moving memory accesses over it. */
SF_INLINE void sf_compiler_barrier( void ) { __asm__ __volatile__( "" ::: "memory" ); }

/* sf_store_two stores two neighbouring words after all stores before it, as one
   16-byte store: half the room in the store buffer.  Each word is whole for a
   reader; the two together need not be.  Assumes p is 16-byte aligned. */
SF_INLINE void sf_store_two( uint64_t * p, uint64_t a, uint64_t b ) {
#if SF_TSAN
  sf_store_release( p, a );
  sf_store_release( p + 1, b );
#else
  typedef long long two_t __attribute__( ( vector_size( 16 ), may_alias ) );
  sf_compiler_barrier();
  *(two_t *)p = ( two_t ){ (long long)a, (long long)b };
  sf_compiler_barrier();
#endif
}

/* sf_words_copy_out copies `words` 64-bit words of shared memory into private
   memory with acquire loads.  Assumes shared is 8-byte aligned. */
SF_INLINE void sf_words_copy_out( void * to, void const * shared, uint64_t words ) {
  uint8_t * d        = (uint8_t *)to;
  uint64_t const * s = (uint64_t const *)shared;
  for( uint64_t i = 0; i < words; i++ ) {
    uint64_t w = sf_load_acquire( s + i );
    memcpy( d + 8 * i, &w, 8 );
  }
}

/* sf_words_copy_in copies `words` 64-bit words of private memory into shared
   memory with release stores.  Assumes shared is 8-byte aligned. */
SF_INLINE void sf_words_copy_in( void * shared, void const * from, uint64_t words ) {
  uint64_t * d      = (uint64_t *)shared;
  uint8_t const * s = (uint8_t const *)from;
  for( uint64_t i = 0; i < words; i++ ) {
    uint64_t w;
    memcpy( &w, s + 8 * i, 8 );
    sf_store_release( d + i, w );
  }
}

/* sf_bytes_copy_in is sf_words_copy_in for any number of bytes; the rest of the
   last word becomes zero. */
SF_INLINE void sf_bytes_copy_in( void * shared, void const * from, uint64_t bytes ) {
  sf_words_copy_in( shared, from, bytes / 8 );
  if( bytes & 7 ) {
    uint64_t w = 0;
    memcpy( &w, (uint8_t const *)from + ( bytes & ~7UL ), bytes & 7 );
    sf_store_release( (uint64_t *)shared + bytes / 8, w );
  }
}

#endif
