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

#define LOG_BITS 8 /* bits behind the leading one that choose a table row */

/* 2^64 / c, and the ticks of c in 2^-32, c = 1 + ( i + 1/2 ) / 256 */
static uint64_t const log_reciprocal[1 << LOG_BITS] = {
  0xff803fe00ff803fe, 0xfe823ca508735303, 0xfd863086af49c78d, 0xfc8c15b409dd78d9, 0xfb93e672fa98528d,
  0xfa9d9d1fd102728a, 0xf9a9342cdc676010, 0xf8b6a62200f8b6a6, 0xf7c5ed9c4f5d661c, 0xf6d7054d9e9d2ae8,
  0xf5e9e7fc2858600f, 0xf4fe9082273cc525, 0xf414f9cd77a84876, 0xf32d1edf3a6b56eb, 0xf246facb799ca0e3,
  0xf16288b8cf70ad7f, 0xf07fc3e00f07fc3e, 0xef9ea78bef26d838, 0xeebf2f18b6ca600f, 0xede155f3eb8ea29d,
  0xed05179c01da0a2f, 0xec2a6fa00ec2a6fa, 0xeb51599f7ba23d96, 0xea79d149bb4e4faf, 0xe9a3d25e00e9a3d2,
  0xe8cf58aaf8451d8e, 0xe7fc600e7fc600e8, 0xe72ae47563c8039d, 0xe65ae1db1b71d3e9, 0xe58c544986f2ff8d,
  0xe4bf37d8af2266c2, 0xe3f388ae8674a59f, 0xe32942feab421b82, 0xe260630a2b5472f5, 0xe198e51f48b3c5d7,
  0xe0d2c5993fabb0f6, 0xe00e00e00e00e00e, 0xdf4a93683b4fcf28, 0xde8879b2a28db0e5, 0xddc7b04c3ca49a35,
  0xdd0833cdec244358, 0xdc4a00dc4a00dc4a, 0xdb8d142773599f17, 0xdad16a6ad840f62c, 0xda17006d0b803686,
  0xd95dd2ff93511680, 0xd8a5defebb073182, 0xd7ef215165a40f2f, 0xd73996e8e15049fc, 0xd6853cc0bbb49529,
  0xd5d20fde972d8538, 0xd5200d5200d5200d, 0xd46f3234475d5ade, 0xd3bf7ba852b6cc4e, 0xd310e6da7c7ef82b,
  0xd26371006931b880, 0xd1b71758e219652c, 0xd10bd72baff977a1, 0xd061adc9766f8446, 0xcfb8988b90067dc5,
  0xcf1094d3eaf850e2, 0xce69a00ce69a00ce, 0xcdc3b7a9316e849f, 0xcd1ed923a7dcbeb3, 0xcc7b01ff3384fe01,
  0xcbd82fc6ab329020, 0xcb36600cb36600cb, 0xca95906b9f74b92d, 0xc9f5be85533ac604, 0xc956e803255ba00d,
  0xc8b90a95c20ee5bc, 0xc81c23f50e760899, 0xc78031e00c78031e, 0xc6e5321cbf203e28, 0xc64b22780f7ddeb1,
  0xc5b200c5b200c5b2, 0xc519cae00c519cae, 0xc4827ea81ba259d0, 0xc3ec1a055b74b626, 0xc3569ae5acd4200c,
  0xc2c1ff3d3e00c2c2, 0xc22e450672894ab7, 0xc19b6a41cbd11c5c, 0xc1096cf5d200c109, 0xc0784b2efd5e5af9,
  0xbfe802ffa00bfe80, 0xbf58927fd029db60, 0xbec9f7cd525a2d76, 0xbe3c310b84a4f833, 0xbdaf3c6349b99bf9,
  0xbd231802f48c600c, 0xbc97c21e344e16d6, 0xbc0d38ee00bc0d39, 0xbb837ab086c6802f, 0xbafa85a9158bde67,
  0xba7258200ba72582, 0xb9eaf062c4cfb479, 0xb9644cc387c8f639, 0xb8de6b9974a050e1, 0xb8594b407337cf08,
  0xb7d4ea19221c0170, 0xb7514688c5a3a00b, 0xb6ce5ef9375779c0, 0xb64c31d8d5a14a6a, 0xb5cabd9a73c016b9,
  0xb54a00b54a00b54a, 0xb4c9f9a4e63933e8, 0xb44aa6e91c85cf68, 0xb3cc0705f8463bb3, 0xb34e1883ad5a00b3,
  0xb2d0d9ee899ab7b5, 0xb25449d6e692fb79, 0xb1d866d11b70e3dd, 0xb15d2f756f32ec41, 0xb0e2a2600b0e2a26,
  0xb068be30ed0cbf92, 0xafef818bdae37aac, 0xaf76eb1854fd99e0, 0xaefef98189bdb163, 0xae87ab7648f2b4aa,
  0xae10ffa8f7802b84, 0xad9af4cf8338a00b, 0xad2589a356e95796, 0xacb0bce14e966df5, 0xac3c8d49abe66f03,
  0xabc8f9a00abc8f9a, 0xab5600ab5600ab56, 0xaae3a135bc943166, 0xaa71da0ca6732ef0, 0xaa00aa00aa00aa01,
  0xa9900fe5817d8424, 0xa9200a9200a9200b, 0xa8b098e00a8b098e, 0xa841b9ac8764e369, 0xa7d36bd75acbe1d8,
  0xa765ae4359e91d19, 0xa6f87fd641e00a70, 0xa68bdf78ae5a6df2, 0xa61fcc1610391aee, 0xa5b4449ca468dc13,
  0xa54947fd6adae00a, 0xa4ded52c1da00a4e, 0xa474eb1f28268b67, 0xa40b88cf9e9926c5, 0xa3a2ad39355f8f80,
  0xa33a575a38bf485e, 0xa2d28633849c764d, 0xa26b38c87c5a1779, 0xa2046e1f02d913f0, 0xa19e253f72959f68,
  0xa1385d3495e266a7, 0xa0d3150b9f410557, 0xa06e4bd421d743ff, 0xa00a00a00a00a00a, 0x9fa6328395fba275,
  0x9f42e0954eb28bfa, 0x9ee009ee009ee00a, 0x9e7dada8b4c75a14, 0x9e1bcae2a9d7daf1, 0x9dba60bb4d52de6c,
  0x9d596e5434dc0b10, 0x9cf8f2d1179b7084, 0x9c98ed57c7b90ab4, 0x9c395d102bf0222d, 0x9bda4124393a23eb,
  0x9b7b98bfec908ce8, 0x9b1d631144c5876c, 0x9abf9f483c72da38, 0x9a624c96c3fecb3b, 0x9a056a30bbb6996b,
  0x99a8f74bedfe3305, 0x994cf3200994cf32, 0x98f15ce69bee13b7, 0x989633db0b9f70f3, 0x983b773a92e1600a,
  0x97e126443a2430a6, 0x97874038d2b8154f, 0x972dc45af1881eb5, 0x96d4b1eee9e7d7f0, 0x967c083ac87336f6,
  0x9623c6864e009624, 0x95cbec1aeaa46cd6, 0x95747843b8c67eb0, 0x951d6a4d78483a3f, 0x94c6c18689bc012a,
  0x94707d3ee9ad152a, 0x941a9cc82bf7e68b, 0x93c51f75773281e0, 0x9370049b8024dc01, 0x931b4b908550bc7b,
  0x92c6f3ac4a8907bd, 0x9272fc4814982b7a, 0x921f64bea4f570bb, 0x91cc2c6c3588f850, 0x917952ae747e2736,
  0x9126d6e4802449b6, 0x90d4b86ee2dd34e6, 0x9082f6af8f19af47, 0x90319109db636a2c, 0x8fe086e27e74568d,
  0x8f8fd79f8b5b20ce, 0x8f3f82a86daca009, 0x8eef8765e5c20624, 0x8e9fe54205039f0f, 0x8e509ba82a3fee36,
  0x8e01aa04fe0efa2d, 0x8db30fc66f419763, 0x8d64cc5baf5c8374, 0x8d16df352f1f238c, 0x8cc947c49b15b90f,
  0x8c7c057cd836e072, 0x8c2f17d2008c2f18, 0x8be27e395fe5c588, 0x8b9638297098ac4d, 0x8b4a4519d847d24c,
  0x8afea48364b78435, 0x8ab355e008ab355e, 0x8a6858aad8cd72e4, 0x8a1dac6008a1dac6, 0x89d3507ce780f132,
  0x8989447fdd9daee0, 0x893f87e86914a40e, 0x88f61a371b048c2c, 0x88acfaed94b02efb, 0x8864298e84a96c6c,
  0x881ba59da4055114, 0x87d36e9fb39911c6, 0x878b841a793fcd2c, 0x8743e594bd28f30e, 0x86fc9296472f314d,
  0x86b58aa7dc37c72b, 0x866ecd533b9a2008, 0x86285a231c8f9730, 0x85e230a32bab46dd, 0x859c50600859c506,
  0x8556b8e74268b117, 0x851169c75795f620, 0x84cc628fb126a57b, 0x8487a2d0a1854e6e, 0x84432a1b61e7b7ab,
  0x83fef8020ffbe008, 0x83bb0c17ab9c2c41, 0x837765f0148aa7ee, 0x8334052008334052, 0x82f0e93d1f74e008,
  0x82ae11ddcc7152f3, 0x826b7e995863da4d, 0x82292f07e17e58fa, 0x81e722c258cd00c3, 0x81a5596280206956,
  0x8163d282e7fdfa71, 0x81228dbeed9692ca, 0x80e18ab2b8c355d6, 0x80a0c8fb3a088aad, 0x80604836289e76d9,
  0x8020080200802008,
};

static uint64_t const log_ticks[1 << LOG_BITS] = {
  0x002706bf1f9c, 0x0074d9f26112, 0x00c25fecd418, 0x010f99472079, 0x015c86982b14, 0x01a928751cc5, 0x01f57f71692c,
  0x02418c1ed555, 0x028d4f0d7e3b, 0x02d8c8cbdf32, 0x0323f9e6d82a, 0x036ee2e9b3e1, 0x03b9845e2de7, 0x0403decc7891,
  0x044df2bb42cd, 0x0497c0afbdd8, 0x04e1492da2df, 0x052a8cb7387b, 0x05738bcd581f, 0x05bc46ef7366, 0x0604be9b994b,
  0x064cf34e7b46, 0x0694e5837257, 0x06dc95b483f1, 0x0724045a66d8, 0x076b31ec87e5, 0x07b21ee10eb1, 0x07f8cbace22e,
  0x083f38c3ad2f, 0x08856697e2d3, 0x08cb559ac2e6, 0x0911063c5e24, 0x095678eb9a74, 0x099bae163705, 0x09e0a628d065,
  0x0a25618ee47c, 0x0a69e0b2d678, 0x0aae23fdf2ad, 0x0af22bd8725e, 0x0b35f8a97f77, 0x0b798ad73838, 0x0bbce2c6b2d4,
  0x0c0000dc00f4, 0x0c42e57a333e, 0x0c8591035cb6, 0x0cc803d8962a, 0x0d0a3e5a0176, 0x0d4c40e6ccd0, 0x0d8e0bdd35f7,
  0x0dcf9f9a8d5f, 0x0e10fc7b3944, 0x0e5222dab8c1, 0x0e931313a6c6, 0x0ed3cd7fbd16, 0x0f145277d726, 0x0f54a253f4ff,
  0x0f94bd6b3e0d, 0x0fd4a41403e1, 0x101456a3c4ed, 0x1053d56f2f33, 0x109320ca22e3, 0x10d23907b4fd, 0x11111e7a31d8,
  0x114fd1731fa6, 0x118e524340f3, 0x11cca13a9714, 0x120abea86487, 0x1248aadb2f5a, 0x12866620c376, 0x12c3f0c634f0,
  0x13014b17e244, 0x133e75617695, 0x137b6fedebd5, 0x13b83b078cf4, 0x13f4d6f7f7fa, 0x14314408201f, 0x146d82804fdc,
  0x14a992a82aef, 0x14e574c6b05c, 0x152129223c63, 0x155cb0008a73, 0x159809a6b70f, 0x15d3365941b1, 0x160e365c0ea5,
  0x164909f268de, 0x1683b15f03bc, 0x16be2ce3fcda, 0x16f87cc2ddc7, 0x1732a13c9dc3, 0x176c9a91a36d, 0x17a66901c673,
  0x17e00ccc5135, 0x181986300268, 0x1852d56b0eab, 0x188bfabb2220, 0x18c4f65d61f6, 0x18fdc88e6df5, 0x1936718a61ff,
  0x196ef18cd78e, 0x19a748d0e72d, 0x19df779129e8, 0x1a177e07babd, 0x1a4f5c6e3804, 0x1a8712fdc4d1, 0x1abea1ef0a54,
  0x1af6097a3931, 0x1b2d49d70ad8, 0x1b64633cc2d2, 0x1b9b55e23010, 0x1bd221fdae2e, 0x1c08c7c526ba, 0x1c3f476e126e,
  0x1c75a12d7a6e, 0x1cabd537f97c, 0x1ce1e3c1bd28, 0x1d17ccfe86ff, 0x1d4d9121adb5, 0x1d83305e1e47, 0x1db8aae65d23,
  0x1dee00ec873c, 0x1e2332a2532e, 0x1e584039124c, 0x1e8d29e1b1b7, 0x1ec1efccbb6b, 0x1ef6922a5748, 0x1f2b112a4c21,
  0x1f5f6cfc00b6, 0x1f93a5ce7cbd, 0x1fc7bbd069dd, 0x1ffbaf3014a6, 0x202f801b6d8a, 0x20632ec009d0, 0x2096bb4b2488,
  0x20ca25e99f71, 0x20fd6ec803ea, 0x2130961283da, 0x21639bf4fa8d, 0x2196809aed9e, 0x21c9442f8dd2, 0x21fbe6ddb7f2,
  0x222e68cff5aa, 0x2260ca307e59, 0x22930b2937e9, 0x22c52be3b79c, 0x22f72c8942e1, 0x23290d42d01a, 0x235ace390766,
  0x238c6f94436b, 0x23bdf17c9217, 0x23ef5419b566, 0x24209793241c, 0x2451bc100a86, 0x2482c1b74b37, 0x24b3a8af7fba,
  0x24e4711ef94d, 0x25151b2bc197, 0x2545a6fb9b53, 0x257614b40308, 0x25a6647a2fb0, 0x25d696731367, 0x2606aac35c15,
  0x2636a18f7413, 0x26667afb82d2, 0x2696372b6d7f, 0x26c5d642d7a3, 0x26f5586523c5, 0x2724bdb57404, 0x27540656aab7,
  0x2783326b6b06, 0x27b24216197f, 0x27e13578dcb2, 0x28100cb59dbe, 0x283ec7ee08ef, 0x286d67438e43, 0x289bead76202,
  0x28ca52ca7d4b, 0x28f89f3d9e9b, 0x2926d0514a5d, 0x2954e625cb72, 0x2982e0db33b5, 0x29b0c0915c88, 0x29de8567e74f,
  0x2a0c2f7e3dfa, 0x2a39bef39386, 0x2a6733e6e478, 0x2a948e76f760, 0x2ac1cec25d54, 0x2aeef4e7726d, 0x2b1c01045e3f,
  0x2b48f3371455, 0x2b75cb9d54a5, 0x2ba28a54ac09, 0x2bcf2f7a74b2, 0x2bfbbb2bd69b, 0x2c282d85c800, 0x2c5486a50dc9,
  0x2c80c6a63bfb, 0x2caceda5b629, 0x2cd8fbbfafe2, 0x2d04f1102d17, 0x2d30cdb3028c, 0x2d5c91c3d641, 0x2d883d5e1fd6,
  0x2db3d09d28f9, 0x2ddf4b9c0dc6, 0x2e0aae75bd31, 0x2e35f944f968, 0x2e612c245836, 0x2e8c472e4364, 0x2eb74a7cf91e,
  0x2ee2362a8c4d, 0x2f0d0a50e4fa, 0x2f37c709c0ac, 0x2f626c6eb2c2, 0x2f8cfa9924d0, 0x2fb771a256fa, 0x2fe1d1a36050,
  0x300c1ab52f23, 0x30364cf08961, 0x3060686e0ce7, 0x308a6d462fdd, 0x30b45b914108, 0x30de3367681e, 0x3107f4e0a61c,
  0x3131a014d594, 0x315b351bab05, 0x3184b40cb527, 0x31ae1cff5d3e, 0x31d7700ae766, 0x3200ad4672e5, 0x3229d4c8fa77,
  0x3252e6a9549a, 0x327be2fe33dd, 0x32a4c9de2726, 0x32cd9b5f9a03, 0x32f65798d4ed, 0x331efe9ffd99, 0x3347908b1737,
  0x33700d7002c0, 0x339875647f3d, 0x33c0c87e2a08, 0x33e906d27f17, 0x34113076d93b, 0x34394580726a, 0x3461460463fe,
  0x34893217a6fb, 0x34b109cf144c, 0x34d8cd3f6509, 0x35007c7d32b7, 0x3528179cf785, 0x354f9eb30e8e, 0x357711d3b41a,
  0x359e711305d5, 0x35c5bc850313, 0x35ecf43d8d0d, 0x361418506717,
};

#define ONE_63     ( 1UL << 63 )
#define TICKS_OF_2 0x3627a301d710L /* in 2^-32: ticks in a factor of two of the square root */
#define TICKS_OF_E 0x4e20fffee865L /* the same in a factor of e */
#define DOUBT      ( 1u << 20 )    /* nearer than 2^-12 to a tick, compare */

int32_t sf_tick_of_mantissa( sf_u128_t sqrt_price, uint64_t mantissa, int top, sf_tick_price_t price ) {
  uint32_t row = (uint32_t)( mantissa >> ( 63 - LOG_BITS ) ) & ( ( 1u << LOG_BITS ) - 1 );
  /* ln( 1+z ) is z - z^2/2 to 2^-28.5, which moves the tick by 2^-14 */
  int64_t z    = (int64_t)( (uint64_t)( ( (sf_u128_t)mantissa * log_reciprocal[row] ) >> 64 ) - ONE_63 );
  int64_t half = z >> 32;
  int64_t ln   = z - half * half; /* in 2^-63 */
  int64_t ticks =
      (int64_t)( ( (sf_i128_t)ln * TICKS_OF_E ) >> 63 ) + (int64_t)log_ticks[row] + ( top - 64 ) * TICKS_OF_2;
  int32_t tick  = (int32_t)( ticks >> 32 );
  uint32_t part = (uint32_t)ticks;
  if( __builtin_expect( part - DOUBT < -2u * DOUBT, 1 ) ) return tick;
  if( part >= 1u << 31 ) tick++;
  if( tick > SF_TICK_MAX ) return SF_TICK_MAX;
  if( tick <= SF_TICK_MIN ) return SF_TICK_MIN;
  return price( tick ) <= sqrt_price ? tick : tick - 1;
}

int32_t sf_tick_of_price( sf_u128_t sqrt_price, sf_tick_price_t price ) {
  int top;
  uint64_t mantissa = sf_mantissa( sqrt_price, &top );
  return sf_tick_of_mantissa( sqrt_price, mantissa, top, price );
}
