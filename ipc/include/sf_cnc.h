/* sf_cnc.h: a tile's page: state, heartbeat, last error, named counters and
   gauges, latency histograms.  Only the tile writes it (the command word is in
   sf_control.h because the supervisor writes that).

   Histogram: log-linear.  Values below 16 have a bucket each; above, each
   power of two is cut into 16 equal buckets, so a bucket is at most 6.25 %
   wide.  bucket index of v>=16: 16*(e-3) + ((v>>(e-4))&15), e = floor(log2 v).
   Histograms with the same layout are merged by adding. */

#ifndef SF_CNC_H
#define SF_CNC_H
#include "sf_abi.h"

#define SF_STATE_NEW  0
#define SF_STATE_BOOT 1
#define SF_STATE_RUN  2
#define SF_STATE_HALT 3
#define SF_STATE_DONE 4
#define SF_STATE_FAIL 5

#define SF_HIST_SUB     16
#define SF_HIST_BUCKETS 976 /* 16 * 61: up to 2^64-1 */

typedef struct sf_hist {
  uint64_t count;
  uint64_t sum;
  uint64_t min;   /* of all values; 0 when count is 0 */
  uint64_t max;
  uint64_t bucket[SF_HIST_BUCKETS];
} sf_hist_t;
SF_ASSERT( sizeof(sf_hist_t)==32+8*976 )

#define SF_COUNTER_MAX  64
#define SF_COUNTER_NAME 32

/* the first counters are the same in every tile and kept by the runner */
#define SF_COUNTER_MESSAGES_IN        0
#define SF_COUNTER_MESSAGES_OUT       1
#define SF_COUNTER_OVERRUN_MESSAGES   2
#define SF_COUNTER_BACKPRESSURE_TURNS 3
#define SF_COUNTER_TURNS              4
#define SF_COUNTER_BUSY_TURNS         5
#define SF_COUNTER_PARKS              6
#define SF_COUNTER_FIRST_OWN          7 /* the tile's own begin here */

#define SF_HIST_TURN   0 /* ns of a turn that had work (sampled) */
#define SF_HIST_STAGE  1 /* ns from the in-message's t_pub to this tile being done with it: its last publish, if there is one */
#define SF_HIST_ORIGIN 2 /* ns from the in-message's t_origin to this tile's publish caused by it */
#define SF_HIST_WAIT   3 /* ns from the t_pub of a turn's first in-message to this tile beginning with it */
#define SF_HIST_MAX    4

typedef struct sf_cnc {
  sf_object_t object;
  uint32_t    tile;          /* index in the topology */
  uint32_t    pid;           /* process that runs the tile */
  uint32_t    tid;           /* thread that runs the tile */
  uint32_t    core;          /* core it is pinned to, 0xffffffff = not pinned */
  uint64_t    state;         /* SF_STATE_* */
  uint64_t    started_ns;    /* engine clock at state run */
  uint8_t     _pad0[32];
  uint64_t    heartbeat_ns;  /* engine clock, each housekeeping */
  uint8_t     _pad1[120];
  char        error[256];    /* sentence behind state fail */
  uint8_t     counter_is_gauge[SF_COUNTER_MAX];
  char        counter_name[SF_COUNTER_MAX][SF_COUNTER_NAME]; /* "" = unused */
  uint64_t    counter[SF_COUNTER_MAX];
  uint8_t     _pad2[64];
  sf_hist_t   hist[SF_HIST_MAX];
} sf_cnc_t;
SF_ASSERT( sizeof(sf_cnc_t)%128==0 )

#endif
