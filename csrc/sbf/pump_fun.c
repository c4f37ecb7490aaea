/* pump.fun's bonding curve (6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P), emulated: buys and sales, with the
   program's checks, its integer results, events (by self-call and by log), error numbers and log lines.  Its
   other instructions are refused.

   The length of the program's global account says which time it is: that of January 2025 has 113 bytes
   (pump_fun_2025.h), a longer one is of the newest program (pump_fun_newest.h). */

#include "sbf/pump_fun_2025.h"
#include "sbf/pump_fun_newest.h"

uint64_t entrypoint( uint8_t * input ) {
  pump_now_t * t = SBF_HEAP;
  sbf_parse( input, t->account, PUMP_NOW_ACCOUNT_COUNT_MAX, &t->instruction );
  sbf_instruction_t const * instruction = &t->instruction;
  uint64_t kind                         = instruction->data_len >= 8 ? sbf_u64( instruction->data ) : 0;
  if( kind == ANCHOR_EVENT_TAG ) return anchor_event_receive( instruction, t->account, PUMP_EVENT_AUTHORITY );
  if( instruction->account_count && t->account->data_len > GLOBAL_SIZE ) return pump_trade_now( t, kind );

  pump_trade_t * older = SBF_HEAP;
  sbf_parse( input, &older->accounts.global, PUMP_ACCOUNT_COUNT, &older->instruction );
  return pump_trade_2025( older, kind );
}
