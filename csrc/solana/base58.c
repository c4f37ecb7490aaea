#include "solana/base58.h"

#include <string.h>

#include "base/err.h"
#include "sf_abi.h"

static char const alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

int sf_base58_encode( uint8_t const * bytes, uint32_t n, char * text, uint32_t text_bytes ) {
  if( n > SF_BASE58_MAX ) return sf_err_set( SF_ERR_ARG, "base58: %u bytes are more than %d", n, SF_BASE58_MAX );

  uint32_t zeros = 0;
  while( zeros < n && !bytes[zeros] ) zeros++;

  uint8_t digit[SF_BASE58_TEXT_MAX]; /* least significant first */
  uint32_t digit_cnt = 0;
  for( uint32_t i = zeros; i < n; i++ ) {
    uint32_t carry = bytes[i];
    for( uint32_t j = 0; j < digit_cnt; j++ ) {
      carry += (uint32_t)digit[j] << 8;
      digit[j] = (uint8_t)( carry % 58u );
      carry /= 58u;
    }
    for( ; carry; carry /= 58u ) digit[digit_cnt++] = (uint8_t)( carry % 58u );
  }

  if( zeros + digit_cnt + 1u > text_bytes )
    return sf_err_set( SF_ERR_ARG, "base58: text of %u characters does not fit in %u bytes", zeros + digit_cnt,
                       text_bytes );
  memset( text, '1', zeros );
  for( uint32_t j = 0; j < digit_cnt; j++ ) text[zeros + j] = alphabet[digit[digit_cnt - 1u - j]];
  text[zeros + digit_cnt] = '\0';
  return (int)( zeros + digit_cnt );
}

int sf_base58_decode( char const * text, uint32_t text_len, uint8_t * bytes, uint32_t max ) {
  if( max > SF_BASE58_MAX ) max = SF_BASE58_MAX;

  uint32_t zeros = 0;
  while( zeros < text_len && text[zeros] == '1' ) zeros++;

  uint8_t value[SF_BASE58_MAX]; /* least significant first */
  uint32_t value_cnt = 0;
  for( uint32_t i = zeros; i < text_len; i++ ) {
    char const * at = text[i] ? strchr( alphabet, text[i] ) : NULL;
    if( !at ) return sf_err_set( SF_ERR_DATA, "base58: the character at offset %u is not a digit", i );
    uint32_t carry = (uint32_t)( at - alphabet );
    for( uint32_t j = 0; j < value_cnt; j++ ) {
      carry += 58u * value[j];
      value[j] = (uint8_t)carry;
      carry >>= 8;
    }
    if( carry ) {
      if( zeros + value_cnt >= max )
        return sf_err_set( SF_ERR_DATA, "base58: more than %u bytes at offset %u", max, i );
      value[value_cnt++] = (uint8_t)carry;
    }
  }
  if( zeros + value_cnt > max ) return sf_err_set( SF_ERR_DATA, "base58: more than %u bytes", max );
  memset( bytes, 0, zeros );
  for( uint32_t j = 0; j < value_cnt; j++ ) bytes[zeros + j] = value[value_cnt - 1u - j];
  return (int)( zeros + value_cnt );
}

int sf_pubkey_decode( char const * text, uint8_t out[32] ) {
  uint32_t len = (uint32_t)strnlen( text, SF_BASE58_TEXT_MAX );
  int n        = sf_base58_decode( text, len, out, 32 );
  if( n < 0 ) return n;
  if( n != 32 ) return sf_err_set( SF_ERR_DATA, "base58: a public key has 32 bytes, this text has %d", n );
  return 0;
}

char const * sf_pubkey_encode( uint8_t const pubkey[32], char text[SF_PUBKEY_TEXT_MAX] ) {
  sf_base58_encode( pubkey, 32, text, SF_PUBKEY_TEXT_MAX );
  return text;
}
