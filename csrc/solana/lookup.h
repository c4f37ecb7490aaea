/* lookup.h: address lookup tables, as far as we were told what is in them.

   A v0 message may name up to 256 accounts of a table on the chain by one byte each instead of 32.  What stands
   in a table is only appended to, so contents once read stay true.  Signers and invoked programs cannot be looked up.

   They come from a file, {"<table>": ["<address>", ...], ...}, keys in base58, the addresses in the table's order. */

#ifndef SF_SOLANA_LOOKUP_H
#define SF_SOLANA_LOOKUP_H

#include <stdint.h>

#define SF_LOOKUP_TABLE_MAX   16
#define SF_LOOKUP_ADDRESS_MAX 256

typedef struct sf_lookup_table {
  uint8_t key[32];
  uint32_t cnt;
  uint8_t address[SF_LOOKUP_ADDRESS_MAX][32];
} sf_lookup_table_t;

typedef struct sf_lookups {
  uint32_t cnt;
  sf_lookup_table_t table[SF_LOOKUP_TABLE_MAX];
} sf_lookups_t;

/* sf_lookups_read fills `out` from a file.  Returns 0, SF_ERR_SYS if it cannot be read, SF_ERR_DATA with the offset if
   it says something else, SF_ERR_LIMIT if there is too much in it. */
int sf_lookups_read( sf_lookups_t * out, char const * path );

/* sf_lookups_parse does that for `len` bytes of text. */
int sf_lookups_parse( sf_lookups_t * out, char const * text, uint64_t len );

/* sf_lookups_table returns the table of this key, or NULL. */
sf_lookup_table_t const * sf_lookups_table( sf_lookups_t const * lookups, uint8_t const key[32] );

/* sf_lookup_find returns the place of an address in a table, or -1. */
int sf_lookup_find( sf_lookup_table_t const * table, uint8_t const address[32] );

#endif
