#include "dex/tick_math.h"

#include "dex/wide.h"

#define POWERS 19 /* bits of a tick */

/* 2^64 / 1.0001^( 2^i / 2 ), with the programs' last bits */
static uint64_t const raydium_down[POWERS] = {
  0xfffcb933bd6fb800UL, 0xfff97272373d4000UL, 0xfff2e50f5f657000UL, 0xffe5caca7e10f000UL, 0xffcb9843d60f7000UL,
  0xff973b41fa98e800UL, 0xff2ea16466c9b000UL, 0xfe5dee046a9a3800UL, 0xfcbe86c7900bb000UL, 0xf987a7253ac65800UL,
  0xf3392b0822bb6000UL, 0xe7159475a2caf000UL, 0xd097f3bdfd2f2000UL, 0xa9f746462d9f8000UL, 0x70d869a156f31c00UL,
  0x31be135f97ed3200UL, 0x09aa508b5b85a500UL, 0x005d6af8dedc582cUL, 0x00002216e584f5faUL,
};

static uint64_t const orca_down[POWERS] = {
  0xfffcb933bd6fad37UL, 0xfff97272373d4132UL, 0xfff2e50f5f656932UL, 0xffe5caca7e10e4e6UL, 0xffcb9843d60f6159UL,
  0xff973b41fa98c081UL, 0xff2ea16466c96a38UL, 0xfe5dee046a99a2a8UL, 0xfcbe86c7900a88aeUL, 0xf987a7253ac41317UL,
  0xf3392b0822b70005UL, 0xe7159475a2c29b74UL, 0xd097f3bdfd2022b8UL, 0xa9f746462d870fdfUL, 0x70d869a156d2a1b8UL,
  0x31be135f97d08fd9UL, 0x09aa508b5b7a84e1UL, 0x005d6af8dedb8119UL, 0x00002216e584f5faUL,
};

/* 2^96 * 1.0001^( 2^i / 2 ): high and low word */
static uint64_t const orca_up[POWERS][2] = {
  { 0x00000001000346d6UL, 0xff11672ae55ad00fUL }, { 0x0000000100068db8UL, 0xbac710cb295e9e1bUL },
  { 0x00000001000d1b9cUL, 0x68abe5f76b30fb75UL }, { 0x00000001001a37e4UL, 0xa234cb0830516e51UL },
  { 0x0000000100347278UL, 0xab0e92ada25ab460UL }, { 0x000000010068efb0UL, 0x0a525480a5d7fdc2UL },
  { 0x0000000100d20a63UL, 0xb4173839df9daaa5UL }, { 0x0000000101a4c11cUL, 0x742dd7729738df5eUL },
  { 0x00000001034c35c3UL, 0x1f64cfa6dc0d6de4UL }, { 0x0000000106a34b78UL, 0xc8aaffbf81bed5a3UL },
  { 0x000000010d72a6a4UL, 0x6ccd8bce9ae771b1UL }, { 0x000000011b9a258eUL, 0x63928596dc757faaUL },
  { 0x000000013a2e2bdaUL, 0x04f8379f3cd17be5UL }, { 0x0000000181954be6UL, 0x9e0da8fe77f2ab42UL },
  { 0x0000000244c2655dUL, 0x185a029080252877UL }, { 0x0000000525816eebUL, 0x9f935b1c616779e8UL },
  { 0x0000001a7c8d00b5UL, 0x51684ff4d31ae065UL }, { 0x000002bd893d0b2dUL, 0xf7c97884590c66cdUL },
  { 0x00078278e1e19e44UL, 0x8cf8b95d2152dccfUL },
};

static sf_u128_t product_down( uint64_t const factor[POWERS], uint32_t tick ) {
  sf_u128_t ratio = tick & 1 ? factor[0] : (sf_u128_t)1 << 64;
  for( int i = 1; i < POWERS; i++ )
    if( tick & 1u << i ) ratio = ratio >> 64 ? factor[i] : ( (sf_u128_t)(uint64_t)ratio * factor[i] ) >> 64;
  return ratio;
}

sf_u128_t sf_tick_price_raydium( int32_t tick ) {
  sf_u128_t ratio = product_down( raydium_down, (uint32_t)( tick < 0 ? -tick : tick ) );
  return tick > 0 ? ~(sf_u128_t)0 / ratio : ratio;
}

sf_u128_t sf_tick_price_orca( int32_t tick ) {
  if( tick < 0 ) return product_down( orca_down, (uint32_t)-tick );
  sf_u128_t ratio = tick & 1 ? (sf_u128_t)orca_up[0][0] << 64 | orca_up[0][1] : (sf_u128_t)1 << 96;
  for( int i = 1; i < POWERS; i++ ) {
    if( !( tick & 1 << i ) ) continue;
    sf_u256_t p = sf_wide_mul( ratio, (sf_u128_t)orca_up[i][0] << 64 | orca_up[i][1] );
    ratio       = (sf_u128_t)( (uint64_t)( p.w[2] >> 32 ) | p.w[3] << 32 ) << 64 | p.w[1] >> 32 | p.w[2] << 32;
  }
  return ratio >> 32;
}

/* -- the way back: a logarithm in fixed point, exact near the ticks by comparing ------------------ */

#define LOG_BITS 6 /* bits behind the leading one that choose a table row */

/* 2^64 / c and 2^63 * log2( c ), c = 1 + ( i + 1/2 ) / 64 */
static uint64_t const log_reciprocal[64] = {
  0xfe03f80fe03f80fe, 0xfa232cf252138ac0, 0xf6603d980f6603da, 0xf2b9d6480f2b9d65, 0xef2eb71fc4345238,
  0xebbdb2a5c1619c8c, 0xe865ac7b7603a197, 0xe525982af70c880e, 0xe1fc780e1fc780e2, 0xdee95c4ca037ba57,
  0xdbeb61eed19c5958, 0xd901b2036406c80e, 0xd62b80d62b80d62c, 0xd3680d3680d3680d, 0xd0b69fcbd2580d0b,
  0xce168a7725080ce1, 0xcb8727c065c393e0, 0xc907da4e871146ad, 0xc6980c6980c6980c, 0xc4372f855d824ca6,
  0xc1e4bbd595f6e947, 0xbfa02fe80bfa02ff, 0xbd69104707661aa3, 0xbb3ee721a54d880c, 0xb92143fa36f5e02e,
  0xb70fbb5a19be3659, 0xb509e68a9b94821f, 0xb30f63528917c80b, 0xb11fd3b80b11fd3c, 0xaf3addc680af3ade,
  0xad602b580ad602b6, 0xab8f69e28359cd11, 0xa9c84a47a07f5638, 0xa80a80a80a80a80b, 0xa655c4392d7b73a8,
  0xa4a9cf1d96833751, 0xa3065e3fae7cd0e0, 0xa16b312ea8fc377d, 0x9fd809fd809fd80a, 0x9e4cad23dd5f3a20,
  0x9cc8e160c3fb19b9, 0x9b4c6f9ef03a3caa, 0x99d722dabde58f06, 0x9868c809868c8098, 0x97012e025c04b809,
  0x95a02568095a0257, 0x9445809445809446, 0x92f113840497889c, 0x91a2b3c4d5e6f809, 0x905a38633e06c43b,
  0x8f1779d9fdc3a219, 0x8dda520237694809, 0x8ca29c046514e023, 0x8b70344a139bc75a, 0x8a42f8705669db46,
  0x891ac73ae9819b50, 0x87f78087f78087f8, 0x86d905447a34acc6, 0x85bf37612cee3c9b, 0x84a9f9c8084a9f9d,
  0x839930523fbe3368, 0x828cbfbeb9a020a3, 0x81848da8faf0d277, 0x8080808080808081
};

static uint64_t const log_value[64] = {
  0x016fe50b6ef08518, 0x0447347544cd04bb, 0x07137eae42aad7bd, 0x09d517ee93f8e16c, 0x0c8c50b72319ad57,
  0x0f397608bfd2d90e, 0x11dcd197552b7b5e, 0x1476a9f983f74d31, 0x170742d4ef027f2a, 0x198edd077e70df03,
  0x1c0db6cdd94dee41, 0x1e840be74e6a4cc7, 0x20f215b7606012de, 0x23580b6523e0e0a5, 0x25b621f89b355edf,
  0x280c8c76360892ec, 0x2a5b7bf8992d66fc, 0x2ca31fc8cef74dca, 0x2ee3a574fdf677c9, 0x311d38e5c1644b49,
  0x335004723c465e6a, 0x357c30f2fe3e91c3, 0x37a1e5d3cf206156, 0x39c1492474b0f992, 0x3bda7fa8846c989e,
  0x3dedace651c440fa, 0x3ffaf33507ff3574, 0x420273c9fdc0f54a, 0x44044ec54f23a9ec, 0x4600a33dca5da93b,
  0x47f78f4c3a049908, 0x49e93016172fe016, 0x4bd5a1d7acfc9850, 0x4dbcffedb6458901, 0x4f9f64de7dc059ab,
  0x517cea62881ce293, 0x5355a96ccf3b112a, 0x5529ba32950e36c7, 0x56f93432d450d2ac, 0x58c42e3d54c12102,
  0x5a8abe79683c2820, 0x5c4cfa6c55b1ef94, 0x5e0af6ff76995def, 0x5fc4c8860b3c5745, 0x617a82c2c9ec9843,
  0x632c38ed2ceef6cd, 0x64d9fdb682acba73, 0x6683e34ec3813f7a, 0x6829fb693044b399, 0x69cc5740bc831ef5,
  0x6b6b079c4720cb45, 0x6d061cd2a4022f66, 0x6e9da6ce7925903c, 0x7031b511f1774d8c, 0x71c256ba47871d83,
  0x734f9a832a241b0a, 0x74d98ec9fcc754a5, 0x76604190f598530f, 0x77e3c0821abcb12f, 0x796418f2208b3958,
  0x7ae157e32a23ec35, 0x7c5b8a076dd8c0ed, 0x7dd2bbc3bebeb75f, 0x7f46f931fcabe50a
};

#define ONE_63    ( 1UL << 63 )
#define LOG2_E_62 0x5c551d94ae0bf85eL /* 2^62 / ln( 2 ) */
#define TICKS_32  0x3627a301d710L     /* 2^32 * 2 / log2( 1.0001 ): ticks in a factor of two of the square root */
#define DOUBT_32  ( 1u << 26 )        /* nearer than 1/64 to a tick, compare */

int32_t sf_tick_of_price( sf_u128_t sqrt_price, sf_tick_price_t price ) {
  uint64_t high = (uint64_t)( sqrt_price >> 64 ), low = (uint64_t)sqrt_price, mantissa;
  int top;
  if( high ) {
    int zeros = __builtin_clzl( high );
    top       = 127 - zeros;
    mantissa  = zeros ? high << zeros | low >> ( 64 - zeros ) : high;
  } else {
    int zeros = __builtin_clzl( low | 1 );
    top       = 63 - zeros;
    mantissa  = low << zeros;
  }
  uint32_t row = (uint32_t)( mantissa >> ( 63 - LOG_BITS ) ) & ( ( 1u << LOG_BITS ) - 1 );
  int64_t z    = (int64_t)( (uint64_t)( ( (sf_u128_t)mantissa * log_reciprocal[row] ) >> 64 ) - ONE_63 );
  int64_t z2   = (int64_t)( ( (sf_i128_t)z * z ) >> 63 );
  int64_t z3   = (int64_t)( ( (sf_i128_t)z2 * z ) >> 63 );
  int64_t ln   = z - z2 / 2 + z3 / 3;
  int64_t log2 = (int64_t)( ( (sf_i128_t)ln * LOG2_E_62 ) >> 77 ) + (int64_t)( log_value[row] >> 15 ) +
                 (int64_t)( (uint64_t)( top - 64 ) << 48 );          /* in 2^-48 */
  int64_t ticks = (int64_t)( ( (sf_i128_t)log2 * TICKS_32 ) >> 48 ); /* in 2^-32 */
  int32_t tick  = (int32_t)( ticks >> 32 );
  uint32_t part = (uint32_t)ticks;
  if( __builtin_expect( part > DOUBT_32 && part < -DOUBT_32, 1 ) ) return tick;
  if( part >= 1u << 31 ) tick++;
  if( tick > SF_TICK_MAX ) return SF_TICK_MAX;
  if( tick <= SF_TICK_MIN ) return SF_TICK_MIN;
  return price( tick ) <= sqrt_price ? tick : tick - 1;
}
