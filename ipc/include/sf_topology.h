/* sf_topology.h: the static graph of an instance, frozen into the `topology`
   workspace before any tile starts and never written again.  Indices refer
   into the arrays below.  Parameters are text: `key=value` lines, one block per
   tile, read in a tile's init by sf_param_*. */

#ifndef SF_TOPOLOGY_H
#define SF_TOPOLOGY_H
#include "sf_abi.h"
#include "sf_control.h"

#define SF_LINK_MAX   64
#define SF_EDGE_MAX   256
#define SF_TABLE_MAX  16
#define SF_GROUP_MAX  32
#define SF_PORT_MAX   24     /* in- or out-links of one tile */
#define SF_PARAM_MAX  131072 /* bytes of all parameter text */

#define SF_WAIT_SPIN  0
#define SF_WAIT_YIELD 1
#define SF_WAIT_PARK  2

#define SF_CORE_NONE  0xffffffffu

#define SF_TILE_PYTHON   1 /* runs in a Python process */
#define SF_TILE_EXTERNAL 2 /* not run by a group: the supervisor itself */

typedef struct sf_topology_tile {
  char     name[SF_NAME_MAX];   /* unique; also the name of its workspace file */
  char     kind[SF_NAME_MAX];   /* which tile: key of the tile table, or Python "module:Class" alias */
  uint32_t group;
  uint32_t flags;               /* SF_TILE_* */
  uint32_t in_cnt;              /* edges this tile consumes, in poll order */
  uint32_t out_cnt;             /* links this tile produces */
  uint16_t in[SF_PORT_MAX];     /* edge indices */
  uint16_t out[SF_PORT_MAX];    /* link indices */
  uint32_t burst;               /* messages it may publish per msg or poll call, per out-link */
  uint32_t numa_node;           /* where its workspace lies: with who reads its links */
  uint32_t param_off;           /* bytes into `params` */
  uint32_t param_len;
  uint64_t cnc_off;             /* bytes into its workspace */
  uint64_t workspace_bytes;
} sf_topology_tile_t;

typedef struct sf_topology_link {
  char     name[SF_NAME_MAX];
  uint32_t producer;            /* tile */
  uint32_t depth;
  uint32_t slot_bytes;
  uint32_t flags;               /* SF_LINK_* */
  uint64_t off;                 /* bytes into the producer's workspace, or into the pair file link-<name> */
  uint32_t numa_node;           /* where its pair file lies: with its consumer */
  uint32_t _pad0;
} sf_topology_link_t;

typedef struct sf_topology_edge {
  uint32_t link;
  uint32_t consumer;            /* tile */
  uint32_t reliable;
  uint32_t _pad0;
  uint64_t off;                 /* bytes into the consumer's workspace */
} sf_topology_edge_t;

typedef struct sf_topology_table {
  char     name[SF_NAME_MAX];
  uint32_t writer;              /* tile */
  uint32_t row_bytes;
  uint32_t row_cnt;
  uint32_t _pad0;
  uint64_t off;                 /* bytes into the writer's workspace */
} sf_topology_table_t;

typedef struct sf_topology_group {
  char     name[SF_NAME_MAX];
  uint32_t wait;                /* SF_WAIT_* in force */
  uint32_t wait_asked;          /* SF_WAIT_* asked for; differs when there are more spinners than cores */
  uint32_t core;                /* SF_CORE_NONE = not pinned */
  uint32_t flags;               /* SF_TILE_PYTHON if its tiles are Python */
} sf_topology_group_t;

typedef struct sf_topology {
  sf_object_t object;
  uint32_t    tile_cnt;
  uint32_t    link_cnt;
  uint32_t    edge_cnt;
  uint32_t    table_cnt;
  uint32_t    group_cnt;
  uint32_t    param_bytes;
  uint32_t    huge_pages;       /* 1 = ask for huge pages where the host has them */
  uint32_t    lock_memory;      /* 1 = mlock */
  uint32_t    stay_awake;       /* 1 = processes that park hold /dev/cpu_dma_latency at 0 */
  uint8_t     _pad0[28];
  char        state_dir[256];   /* absolute path of the state directory on disk */
  sf_topology_tile_t  tile[SF_TILE_MAX];
  sf_topology_link_t  link[SF_LINK_MAX];
  sf_topology_edge_t  edge[SF_EDGE_MAX];
  sf_topology_table_t table[SF_TABLE_MAX];
  sf_topology_group_t group[SF_GROUP_MAX];
  char        params[SF_PARAM_MAX];
} sf_topology_t;

#endif
