/* warm.h: memory that the next message will need, kept near while there is none.

   A market changes one pool after the other, so what is known of one of a thousand pools is touched every some
   milliseconds only.  Where others use the same L3 (another tenant, another process) it is gone to memory by then, and
   each line that a message needs and cannot ask for early costs 100 ns and more.  A tile whose group spins has turns in
   which nothing happens: in each it asks for one line of the next.

     area 0: item 0 | item 1 | ...    `lines` lines of each item, items `stride` apart
     area 1: ...                      round and round, one line a step

   Nothing waits for such a line, and nothing is changed: it is a hint to the processor. */

#ifndef SF_BASE_WARM_H
#define SF_BASE_WARM_H
#include "base/atomic.h"

#define SF_WARM_AREAS 16
#define SF_WARM_LINE  64

typedef struct sf_warm_area {
  uint8_t const * at;
  uint64_t stride;
  uint32_t lines; /* of each item */
  uint32_t cnt;   /* items; 0 = skipped */
} sf_warm_area_t;

typedef struct sf_warm {
  uint32_t area_cnt;
  uint32_t area; /* where the next step is */
  uint32_t item;
  uint32_t line;
  sf_warm_area_t all[SF_WARM_AREAS];
} sf_warm_t;

/* sf_warm_set makes area number `area` the first `lines` lines of cnt items at `at`, `stride` bytes apart.  Assumes area
   is below SF_WARM_AREAS. */
static inline void sf_warm_set( sf_warm_t * w, uint32_t area, void const * at, uint64_t stride, uint32_t lines,
                                uint64_t cnt ) {
  w->all[area] = ( sf_warm_area_t ){ (uint8_t const *)at, stride, lines, (uint32_t)cnt };
  if( area >= w->area_cnt ) w->area_cnt = area + 1;
}

/* sf_warm_bytes is sf_warm_set of one piece of memory. */
static inline void sf_warm_bytes( sf_warm_t * w, uint32_t area, void const * at, uint64_t bytes ) {
  sf_warm_set( w, area, at, SF_WARM_LINE, 1, ( bytes + SF_WARM_LINE - 1 ) / SF_WARM_LINE );
}

/* sf_warm_step asks for the next line.  Cost: 2 ns. */
SF_INLINE void sf_warm_step( sf_warm_t * w ) {
  sf_warm_area_t const * a = &w->all[w->area];
  if( SF_LIKELY( w->item < a->cnt ) ) {
    __builtin_prefetch( a->at + w->item * a->stride + (uint64_t)w->line * SF_WARM_LINE );
    if( ++w->line < a->lines ) return;
    w->line = 0;
    w->item++;
    return;
  }
  w->item = w->line = 0;
  if( ++w->area >= w->area_cnt ) w->area = 0;
}

#endif
