#include "solana/template.h"

#include <string.h>

#include "base/err.h"
#include "sf_abi.h"

int sf_template_compile( sf_template_t * template, uint8_t const wallet[32], sf_instruction_t const * instruction,
                         uint32_t cnt, sf_lookups_t const * lookups, uint32_t static_cnt ) {
  static uint8_t const no_blockhash[32] = { 0 };
  if( cnt > SF_TEMPLATE_INSTRUCTION_MAX )
    return sf_err_set( SF_ERR_LIMIT, "template: %u instructions are more than %d", cnt, SF_TEMPLATE_INSTRUCTION_MAX );

  memset( template, 0, sizeof( *template ) );
  uint8_t * message = template->tx + SF_TEMPLATE_MESSAGE_OFF;
  int len = sf_message_compile( message, SF_PACKET_MAX - SF_TEMPLATE_MESSAGE_OFF, SF_VERSION_0, wallet, instruction,
                                cnt, lookups, static_cnt, no_blockhash, &template->blockhash_off, template->data_off );
  if( len < 0 ) return len;
  if( message[1] != 1 )
    return sf_err_set( SF_ERR_ARG, "template: %u signatures are needed, the wallet gives one", message[1] );

  template->tx[0]           = 1;
  template->tx_len          = (uint16_t)( SF_TEMPLATE_MESSAGE_OFF + len );
  template->blockhash_off   = (uint16_t)( template->blockhash_off + SF_TEMPLATE_MESSAGE_OFF );
  template->instruction_cnt = (uint16_t)cnt;
  for( uint32_t i = 0; i < cnt; i++ ) {
    template->data_off[i] = (uint16_t)( template->data_off[i] + SF_TEMPLATE_MESSAGE_OFF );
    template->data_len[i] = instruction[i].data_len;
  }
  return 0;
}
