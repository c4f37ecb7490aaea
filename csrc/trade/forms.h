/* forms.h: transactions of routes with blanks for what an order fills in.

   Orders over one route (pools, directions, arrays, with or without a tip, creation of accounts, protection) differ in a few
   numbers only.  A form is the route's template (solana/template.h) and where in it stand

     compute limit | compute price | [tip] | blockhash | of each hop: amount in, least amount out

   so that an order over a known route is a copy of the template and a dozen stores: no account is looked at.

   Forms stand in SF_FORMS_SETS sets of SF_FORMS_WAYS; the least recently used of a set goes first.  A set's tags
   stand together: looking for a form touches one line of them and the form. */

#ifndef SF_TRADE_FORMS_H
#define SF_TRADE_FORMS_H

#include "solana/template.h"
#include "trade/plan.h"

#define SF_FORMS_SETS 256
#define SF_FORMS_WAYS 8

#define SF_FORM_TIP     1
#define SF_FORM_CREATE  2
#define SF_FORM_PROTECT 4

/* What tells one form from another. */
typedef struct sf_form_key {
  sf_swap_key_t hop[SF_HOP_MAX];
  uint32_t hop_cnt;
  uint32_t flags; /* SF_FORM_* */
} sf_form_key_t;

typedef struct sf_form {
  uint64_t made; /* stamp of when it was compiled: what came before it tells nothing of it; 0 = empty */
  sf_form_key_t key;
  uint32_t units;          /* most that a fill has used, 0 = not known */
  uint32_t crossing_units; /* of its venues together */
  uint32_t orders;         /* counted by who uses it */
  uint32_t ladder;         /* 1 + number of the ladder around it, of who uses it; 0 = none */
  uint16_t limit_off;
  uint16_t price_off;
  uint16_t tip_off; /* 0 = none */
  uint16_t amount_off[SF_HOP_MAX];
  uint16_t least_off[SF_HOP_MAX];
  sf_template_t template;
} sf_form_t;

typedef struct sf_forms {
  uint64_t stamp;
  uint64_t tag[SF_FORMS_SETS][SF_FORMS_WAYS]; /* hash of the key, 0 = empty */
  uint64_t used[SF_FORMS_SETS][SF_FORMS_WAYS];
  sf_form_t form[SF_FORMS_SETS][SF_FORMS_WAYS];
} sf_forms_t;

/* What every form of a wallet has in common. */
typedef struct sf_form_common {
  uint8_t wallet[32];
  uint8_t tip_account[32];
  uint8_t protect_account[32];
  sf_lookups_t lookups;
} sf_form_common_t;

/* What an order fills in. */
typedef struct sf_form_values {
  sf_intent_t const * intent;
  uint8_t const * blockhash;
  uint64_t price_micro_lamports;
  uint64_t tip_lamports;
  uint32_t units;
} sf_form_values_t;

/* sf_form_key is the key of an intent. */
void sf_form_key( sf_intent_t const * intent, uint32_t flags, sf_form_key_t * out );

/* sf_forms_find returns the form of a key, or NULL.  Hot. */
sf_form_t * sf_forms_find( sf_forms_t * forms, sf_form_key_t const * key );

/* sf_forms_make compiles the form of a key over these swaps, of which `plan` is the plan of one order, in place of
   the least recently used one of its set.  Returns 0, or what sf_template_compile says.  Cold: 2 us. */
int sf_forms_make( sf_forms_t * forms, sf_form_key_t const * key, sf_form_common_t const * common,
                   sf_plan_t const * plan, sf_swap_t * const * swap, sf_form_t ** out );

/* sf_forms_drop drops a form. */
void sf_forms_drop( sf_forms_t * forms, sf_form_t * form );

/* sf_form_fill writes the unsigned transaction, form->template.tx_len bytes.  Hot. */
void sf_form_fill( sf_form_t const * form, sf_form_values_t const * values, uint8_t * tx );

#endif
