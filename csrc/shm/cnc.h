/* cnc.h: a tile's page: state, heartbeat, error, counters, histograms (layout in
   sf_cnc.h).  Only the tile's own thread writes. */

#ifndef SF_SHM_CNC_H
#define SF_SHM_CNC_H
#include "base/atomic.h"
#include "base/hist.h"
#include "sf_cnc.h"

/* sf_cnc_init names the counters that every tile has. */
void sf_cnc_init( sf_cnc_t * cnc, uint32_t tile );

/* sf_cnc_register returns the index of a counter (gauge=0) or gauge (gauge=1),
   which it adds if there is none of that name.  SF_ERR_FULL if all 40 are used,
   SF_ERR_ARG if the name is too long or exists as the other sort. */
int sf_cnc_register( sf_cnc_t * cnc, char const * name, int gauge );

/* sf_cnc_find returns the index of a counter or gauge, or SF_ERR_NOTFOUND. */
int sf_cnc_find( sf_cnc_t const * cnc, char const * name );

/* sf_cnc_read returns the value of a counter or gauge, 0 if there is none. */
uint64_t sf_cnc_read( sf_cnc_t const * cnc, char const * name );

SF_INLINE void sf_cnc_count( sf_cnc_t * cnc, int index, uint64_t add ) {
  sf_store_relaxed( &cnc->counter[index], sf_load_relaxed( &cnc->counter[index] ) + add );
}
SF_INLINE void sf_cnc_set( sf_cnc_t * cnc, int index, uint64_t v ) { sf_store_relaxed( &cnc->counter[index], v ); }

/* sf_cnc_fail writes the sentence and then the state `fail`. */
void sf_cnc_fail( sf_cnc_t * cnc, char const * sentence );

/* sf_cnc_error copies the sentence; out is always terminated. */
void sf_cnc_error( sf_cnc_t const * cnc, char out[256] );

#endif
