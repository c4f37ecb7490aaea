/* sf_link.h: a link is a fixed-slot ring with one producing tile and one or
   more consuming tiles.

   The link object (slots included) lies in the producer's workspace, which all
   others map read-only; each consumer's cursor lies in an edge object in the
   consumer's workspace.  A pair link (exactly one consumer, reliable, 64-byte
   slots) lies in a file of its own that both its tiles map writable, because
   there the consumer stores 0 into a slot's seq after reading it: this leaves the
   line modified in its cache and is worth a factor of ten in streaming across L3s.

     link (producer writes)                       edge (one per consumer)
     +-----------+-----------+-----------+---     +-----------+-----------+
     | sf_link_t | slot 0    | slot 1    | ...    | sf_edge_t | cursor .. |
     +-----------+-----------+-----------+---     +-----------+-----------+

   A slot is a message.  Its first word holds seq+1 of the message in it; zero
   means never written.  seq is 64 bits, starts at 0 with each run and never
   skips.  The producer stores the payload first and that word last (release).
   On a link with a lossy consumer (SF_LINK_BROADCAST) the producer first
   stores (seq+1)|SF_SEQ_BUSY, and a reader checks the word again after its
   copy.  A reader that finds a later lap in its slot was overrun: it resumes
   at the message its slot holds now, and counts the jump in `lost`.  Reliable
   consumers hold the producer back: credit is depth - (next seq - slowest
   reliable cursor). */

#ifndef SF_LINK_H
#define SF_LINK_H
#include "sf_abi.h"

#define SF_LINK_BROADCAST 1 /* at least one lossy consumer: readers must re-check */
#define SF_LINK_PAIR      2 /* one reliable consumer, 64-byte slots, consumer write-back */
#define SF_LINK_WAKE      4 /* at least one consumer parks: the producer must wake it */

#define SF_SEQ_BUSY       0x8000000000000000

/* Header of a message and of the slot that holds it. */
typedef struct sf_message {
  uint64_t seq;      /* in a slot: seq+1, busy flag; in a private copy: seq itself */
  uint16_t kind;     /* SF_MSG_* (sf_message.h) */
  uint16_t length;   /* payload bytes */
  uint32_t tag;      /* free for the kind: bot number, pool index, ... ; 0 if unused */
  uint64_t t_origin; /* ns, engine clock: when the outside bytes that caused this came in */
  uint64_t t_pub;    /* ns, engine clock: when this message was published */
} sf_message_t;
SF_ASSERT( sizeof(sf_message_t)==32 )

typedef struct sf_link {
  sf_object_t object;
  uint32_t    depth;        /* slots, a power of two */
  uint32_t    slot_bytes;   /* a multiple of 64; payload is at most slot_bytes-32 */
  uint32_t    flags;        /* SF_LINK_* */
  uint32_t    consumer_cnt;
  uint64_t    slot_off;     /* bytes from the object's start to slot 0 */
  uint8_t     _pad0[40];
  uint64_t    published;    /* next seq; written by the producer, at latest once per housekeeping */
  uint64_t    backpressure_turns; /* written by the producer: turns it had no credit */
  uint8_t     _pad1[112];
} sf_link_t;
SF_ASSERT( sizeof(sf_link_t)==256 )

typedef struct sf_edge {
  sf_object_t object;
  uint32_t    link;         /* index in the topology */
  uint32_t    reliable;     /* 1 or 0 */
  uint8_t     _pad0[56];
  uint64_t    cursor;       /* next seq; written by the consumer, every quarter ring and when idle */
  uint64_t    lost;         /* messages jumped over; written by the consumer */
  uint64_t    sleeping;     /* 1 while the consumer's group parks; written by the consumer */
  uint8_t     _pad1[104];
} sf_edge_t;
SF_ASSERT( sizeof(sf_edge_t)==256 )

#endif
