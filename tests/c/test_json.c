/* JSON, base64, URLs, and what a node says: right texts, wrong texts, cut texts,
   10,000 random ones; every text in memory of exactly its size. */

#include "base/rng.h"
#include "check.h"
#include "io/base64.h"
#include "io/rpc.h"
#include "io/url.h"

static sf_rng_t rng;

/* exact copies n bytes into memory that ends where they do. */
static char * exact( void const * p, uint64_t n ) {
  char * c = malloc( n ? n : 1 );
  memcpy( c, p, n );
  return c;
}

static int skip( char const * text ) {
  uint64_t n = strlen( text );
  char * c   = exact( text, n );
  sf_json_t j;
  sf_json_open( &j, c, n );
  int err = sf_json_skip( &j );
  if( !err ) err = sf_json_end( &j );
  free( c );
  return err;
}

static void test_json( void ) {
  static char const * const right[] = { "0",
                                        "-0",
                                        "1",
                                        "-12.5e+3",
                                        "1E9",
                                        "0.1",
                                        "\"\"",
                                        "\"a\\n\\u00e9\\\\\\\"\"",
                                        "true",
                                        " false ",
                                        "null",
                                        "[]",
                                        "{}",
                                        "[[],{}]",
                                        "{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}",
                                        "\t[ 1 ,\n2 ]\r",
                                        "\"0123456789abcdef0123456789abcdef\"",
                                        "[[[[[[[[1]]]]]]]]" };
  static char const * const wrong[] = { "",
                                        " ",
                                        "01",
                                        "-",
                                        "1.",
                                        "1e",
                                        ".5",
                                        "+1",
                                        "1 2",
                                        "tru",
                                        "nul",
                                        "True",
                                        "\"",
                                        "\"a",
                                        "\"\\x\"",
                                        "\"\\u12g4\"",
                                        "\"\\u12\"",
                                        "\"\n\"",
                                        "[",
                                        "]",
                                        "[1",
                                        "[1,]",
                                        "[,1]",
                                        "[1 2]",
                                        "{",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{\"a\":1 \"b\":2}",
                                        "{\"a\":1]",
                                        "[1}",
                                        "[]]",
                                        "\"0123456789abcdef\x01"
                                        "0123456789\"",
                                        "nan",
                                        "Infinity",
                                        "'a'",
                                        "[1]x" };
  for( uint32_t i = 0; i < sizeof( right ) / sizeof( right[0] ); i++ ) CHECK( !skip( right[i] ) );
  for( uint32_t i = 0; i < sizeof( wrong ) / sizeof( wrong[0] ); i++ ) CHECK( skip( wrong[i] ) == SF_ERR_DATA );
  char deep[2 * SF_JSON_DEPTH + 8] = "";
  memset( deep, '[', SF_JSON_DEPTH );
  memset( deep + SF_JSON_DEPTH, ']', SF_JSON_DEPTH );
  CHECK( !skip( deep ) );
  memset( deep, '[', SF_JSON_DEPTH + 1 );
  memset( deep + SF_JSON_DEPTH + 1, ']', SF_JSON_DEPTH + 1 );
  CHECK( skip( deep ) == SF_ERR_DATA );

  sf_json_t j;
  uint64_t u;
  int64_t s;
#define NUMBER( fn, text, v ) ( sf_json_open( &j, text, strlen( text ) ), fn( &j, v ) )
  CHECK( !NUMBER( sf_json_u64, "18446744073709551615", &u ) && u == UINT64_MAX );
  CHECK( NUMBER( sf_json_u64, "18446744073709551616", &u ) );
  CHECK( NUMBER( sf_json_u64, "-1", &u ) && NUMBER( sf_json_u64, "1.0", &u ) && NUMBER( sf_json_u64, "1e3", &u ) &&
         NUMBER( sf_json_u64, "007", &u ) );
  CHECK( !NUMBER( sf_json_i64, "-9223372036854775808", &s ) && s == INT64_MIN );
  CHECK( !NUMBER( sf_json_i64, "-32002", &s ) && s == -32002 );
  CHECK( NUMBER( sf_json_i64, "9223372036854775808", &s ) && NUMBER( sf_json_i64, "-9223372036854775809", &s ) &&
         NUMBER( sf_json_i64, "--1", &s ) );
}

static void test_base64( void ) {
  uint8_t bytes[1024], back[1024];
  for( uint64_t n = 0; n < sizeof( bytes ); n++ ) {
    for( uint64_t i = 0; i < n; i++ ) bytes[i] = (uint8_t)sf_rng_next( &rng );
    char text[SF_BASE64_CHARS( sizeof( bytes ) )];
    uint64_t len = sf_base64_encode( text, bytes, n );
    CHECK( len == SF_BASE64_CHARS( n ) );
    char * c      = exact( text, len );
    uint8_t * out = malloc( n ? n : 1 );
    CHECK( sf_base64_decode( out, n, c, len ) == (int64_t)n && !memcmp( out, bytes, n ) );
    if( n ) CHECK( sf_base64_decode( back, n - 1, c, len ) == SF_ERR_FULL );
    if( len ) { /* any other character, anywhere, is refused */
      uint64_t at  = sf_rng_below( &rng, len );
      char was     = c[at];
      uint8_t next = (uint8_t)sf_rng_next( &rng );
      c[at]        = (char)next;
      int valid = ( next >= '0' && next <= '9' ) || ( ( next | 32 ) >= 'a' && ( next | 32 ) <= 'z' ) || next == '+' ||
                  next == '/' || next == '=';
      if( !valid ) CHECK( sf_base64_decode( back, sizeof( back ), c, len ) == SF_ERR_DATA );
      c[at] = was;
    }
    free( c );
    free( out );
  }
  char text[8];
  CHECK( sf_base64_encode( text, "fo", 2 ) == 4 && !memcmp( text, "Zm8=", 4 ) );
  static char const * const wrong[] = { "A",    "AB",   "ABC",  "====",     "A===",    "AB=C",    "=AAA",
                                        "Zm9=", "Zg=a", "Zh==", "AAAA=AAA", "AA\xff=", "AAAA====" };
  for( uint32_t i = 0; i < sizeof( wrong ) / sizeof( wrong[0] ); i++ )
    CHECK( sf_base64_decode( back, sizeof( back ), wrong[i], strlen( wrong[i] ) ) == SF_ERR_DATA );
}

static void test_url( void ) {
  sf_url_t u;
  CHECK( !sf_url_parse( &u, "wss://api.example.com/?api-key=x" ) && u.tls && u.websocket && u.port == 443 );
  CHECK( !strcmp( u.host, "api.example.com" ) && !strcmp( u.path, "/?api-key=x" ) &&
         !strcmp( u.authority, "api.example.com" ) );
  CHECK( !sf_url_parse( &u, "http://127.0.0.1:8899" ) && !u.tls && !u.websocket && u.port == 8899 &&
         !strcmp( u.path, "/" ) && !strcmp( u.authority, "127.0.0.1:8899" ) );
  CHECK( !sf_url_parse( &u, "ws://[::1]:8900/a/b?c" ) && !strcmp( u.host, "::1" ) &&
         !strcmp( u.authority, "[::1]:8900" ) && !strcmp( u.path, "/a/b?c" ) );
  CHECK( !sf_url_parse( &u, "https://host?q=1" ) && !strcmp( u.path, "/?q=1" ) );
  static char const * const wrong[] = { "",
                                        "host",
                                        "ftp://host",
                                        "ws://",
                                        "ws:///path",
                                        "http://:80",
                                        "http://h:",
                                        "http://h:0",
                                        "http://h:65536",
                                        "http://h:8x",
                                        "http://h:123456",
                                        "http://user:secret@h/",
                                        "http://h/#f",
                                        "http://h/a b",
                                        "http://h/\r\nX: y",
                                        "http://[::1",
                                        "http://[::1]x",
                                        "http://h\x80" };
  for( uint32_t i = 0; i < sizeof( wrong ) / sizeof( wrong[0] ); i++ )
    CHECK( sf_url_parse( &u, wrong[i] ) == SF_ERR_ARG );
  CHECK( sf_url_parse( &u, "http://h:99999/secret-key" ) == SF_ERR_ARG && !strstr( sf_err_text(), "secret" ) );
  char longer[2048] = "http://h/";
  memset( longer + 9, 'a', sizeof( longer ) - 10 );
  CHECK( sf_url_parse( &u, longer ) == SF_ERR_ARG );
}

/* -- what a node says ------------------------------------------------------ */

static char const account_text[] =
    "{\"jsonrpc\":\"2.0\",\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{\"slot\":5199307,"
    "\"apiVersion\":\"2.0.1\"},\"value\":"
    "{\"lamports\":33594,\"data\":[\"AQIDBA==\",\"base64\"],\"owner\":\"CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\","
    "\"executable\":false,\"rentEpoch\":18446744073709551615,\"space\":4}},"
    "\"subscription\":23784}}";
static char const reordered[]   = "{ \"params\" : "
                                  "{\"subscription\":7,\"result\":{\"value\":{\"space\":0,\"owner\":\"1\",\"data\":[\"\","
                                  "\"base64\"],\"extra\":[{}],\"lamports\":1},\"context\":{\"slot\":9}}},"
                                  "\"method\":\"accountNotification\",\"jsonrpc\":\"2.0\" }";
static char const slot_text[]   = "{\"jsonrpc\":\"2.0\",\"method\":\"slotNotification\",\"params\":{\"result\":{"
                                  "\"parent\":75,\"root\":44,\"slot\":76},\"subscription\":0}}";
static char const answer_text[] = "{\"jsonrpc\":\"2.0\",\"result\":23784,\"id\":12}";
static char const error_text[]  = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32005,\"message\":\"Node is behind by 42 "
                                  "slots\",\"data\":{\"numSlotsBehind\":42}},\"id\":3}";
static char const read_text[] =
    "{\"jsonrpc\":\"2.0\",\"result\":{\"context\":{\"slot\":101},\"value\":[{\"lamports\":5,\"data\":[\"AQ==\","
    "\"base64\"],\"owner\":\"a\",\"executable\":false,\"rentEpoch\":0,\"space\":1},null]},\"id\":4}";
static char const * const texts[] = { account_text, reordered, slot_text, answer_text, error_text, read_text };
#define TEXTS ( sizeof( texts ) / sizeof( texts[0] ) )

static void test_rpc( void ) {
  sf_rpc_message_t m;
  CHECK( !sf_rpc_scan( &m, account_text, strlen( account_text ) ) && m.kind == SF_RPC_ACCOUNT && m.slot == 5199307 &&
         m.subscription == 23784 );
  CHECK( m.account.lamports == 33594 && sf_json_is( m.account.data, "AQIDBA==" ) &&
         sf_json_is( m.account.owner, "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C" ) );
  CHECK( !sf_rpc_scan( &m, reordered, strlen( reordered ) ) && m.kind == SF_RPC_ACCOUNT && m.slot == 9 &&
         m.subscription == 7 && m.account.data.n == 0 );
  CHECK( !sf_rpc_scan( &m, slot_text, strlen( slot_text ) ) && m.kind == SF_RPC_SLOT && m.slot == 76 &&
         m.parent == 75 && m.root == 44 );
  CHECK( !sf_rpc_scan( &m, answer_text, strlen( answer_text ) ) && m.kind == SF_RPC_RESULT &&
         m.result == SF_RPC_RESULT_NUMBER && m.number == 23784 && m.id == 12 );
  CHECK( !sf_rpc_scan( &m, error_text, strlen( error_text ) ) && m.kind == SF_RPC_ERROR && m.error_code == -32005 &&
         m.id == 3 );
  CHECK( !sf_rpc_scan( &m, read_text, strlen( read_text ) ) && m.kind == SF_RPC_RESULT &&
         m.result == SF_RPC_RESULT_ACCOUNTS && m.slot == 101 && m.id == 4 );
  sf_json_t j;
  sf_rpc_account_t a;
  CHECK( !sf_rpc_accounts_open( &j, m.accounts ) );
  CHECK( sf_rpc_account_next( &j, &a ) == 1 && a.exists && a.lamports == 5 && sf_json_is( a.data, "AQ==" ) );
  CHECK( sf_rpc_account_next( &j, &a ) == 1 && !a.exists );
  CHECK( sf_rpc_account_next( &j, &a ) == 0 );

  static char const * const shape[] = {
    /* JSON, but not what the interface says */
    "1",
    "[]",
    "{}",
    "{\"jsonrpc\":\"2.0\"}",
    "{\"method\":\"accountNotification\"}",
    "{\"method\":1,\"params\":{}}",
    "{\"method\":\"accountNotification\",\"params\":[]}",
    "{\"method\":\"accountNotification\",\"params\":{\"result\":1,\"subscription\":1}}",
    "{\"method\":\"slotNotification\",\"params\":{\"result\":{\"slot\":1},\"subscription\":1}}",
    "{\"method\":\"slotNotification\",\"params\":{\"result\":{\"slot\":-1,\"parent\":0,\"root\":0},\"subscription\":1}"
    "}",
    "{\"result\":1,\"error\":{\"code\":1}}",
    "{\"error\":{}}",
    "{\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{\"slot\":1},\"value\":null},"
    "\"subscription\":1}}",
    "{\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{\"slot\":1},\"value\":{\"lamports\":1,"
    "\"owner\":\"a\",\"data\":[\"\",\"base58\"]}},\"subscription\":1}}",
    "{\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{\"slot\":1},\"value\":{\"lamports\":1,"
    "\"owner\":\"a\",\"data\":\"\"}},\"subscription\":1}}",
    "{\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{\"slot\":\"1\"},\"value\":{\"lamports\":"
    "1,\"owner\":\"a\",\"data\":[\"\",\"base64\"]}},\"subscription\":1}}"
  };
  for( uint32_t i = 0; i < sizeof( shape ) / sizeof( shape[0] ); i++ )
    CHECK( sf_rpc_scan( &m, shape[i], strlen( shape[i] ) ) == SF_ERR_ARG );

  for( uint32_t k = 0; k < TEXTS; k++ ) { /* cut anywhere, it is not JSON any more */
    for( uint64_t n = 0; n < strlen( texts[k] ); n++ ) {
      char * c = exact( texts[k], n );
      CHECK( sf_rpc_scan( &m, c, n ) == SF_ERR_DATA );
      free( c );
    }
  }
  static char const pieces[] = "{}[]\",:\\u0123456789truefalsn-+eE. \x01\xff";
  for( uint32_t round = 0; round < 10000; round++ ) {
    char const * text = texts[sf_rng_below( &rng, TEXTS )];
    uint64_t n        = strlen( text );
    char * c          = exact( text, n );
    uint64_t hits     = 1 + sf_rng_below( &rng, 4 );
    for( uint64_t h = 0; h < hits; h++ )
      c[sf_rng_below( &rng, n )] = pieces[sf_rng_below( &rng, sizeof( pieces ) - 1 )];
    int err = sf_rpc_scan( &m, c, n );
    CHECK( err == 0 || err == SF_ERR_DATA || err == SF_ERR_ARG );
    if( !err && m.kind == SF_RPC_RESULT && m.result == SF_RPC_RESULT_ACCOUNTS &&
        !sf_rpc_accounts_open( &j, m.accounts ) )
      while( sf_rpc_account_next( &j, &a ) == 1 ) {}
    free( c );
  }
}

static void test_requests( void ) {
  char out[4096];
  char const * key[2] = { "So11111111111111111111111111111111111111112", "11111111111111111111111111111111" };
  uint64_t n          = sf_rpc_accounts_request( out, sizeof( out ), 7, key, 2, "confirmed", 55 );
  out[n]              = 0;
  CHECK( !skip( out ) &&
         strstr( out, "[[\"So11111111111111111111111111111111111111112\",\"11111111111111111111111111111111\"],{" ) &&
         strstr( out, "\"minContextSlot\":55" ) );
  out[sf_rpc_account_subscribe( out, sizeof( out ), 8, key[0], "processed" )] = 0;
  CHECK( !skip( out ) && strstr( out, "\"commitment\":\"processed\"" ) );
  out[sf_rpc_slot_subscribe( out, sizeof( out ), 9 )] = 0;
  CHECK( !skip( out ) );
  uint8_t tx[300];
  memset( tx, 0xab, sizeof( tx ) );
  out[sf_rpc_send_request( out, 10, tx, sizeof( tx ) )] = 0;
  CHECK( !skip( out ) && strstr( out, "\"skipPreflight\":true" ) && strstr( out, "\"maxRetries\":0" ) &&
         strstr( out, "q6ur" ) );
}

/* rate of scan and decode over a notification of 637 bytes of data */
static double measure( void ) {
  static char text[2048];
  uint8_t data[637], out[1024];
  memset( data, 0x5a, sizeof( data ) );
  char base64[SF_BASE64_CHARS( 637 ) + 1] = "";
  sf_base64_encode( base64, data, sizeof( data ) );
  int n                 = snprintf( text, sizeof( text ),
                                    "{\"jsonrpc\":\"2.0\",\"method\":\"accountNotification\",\"params\":{\"result\":{\"context\":{"
                                                    "\"slot\":5199307},\"value\":{\"lamports\":33594,\"data\":[\"%s\",\"base64\"],"
                                                    "\"owner\":\"CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C\",\"executable\":false,\"rentEpoch\":"
                                                    "18446744073709551615,\"space\":637}},\"subscription\":23784}}",
                                    base64 );
  uint64_t const rounds = 200000;
  double best           = 0;
  for( int k = 0; k < 5; k++ ) {
    uint64_t from = sf_clock_posix_ns( CLOCK_MONOTONIC );
    for( uint64_t i = 0; i < rounds / 5; i++ ) {
      sf_rpc_message_t m;
      CHECK( !sf_rpc_scan( &m, text, (uint64_t)n ) );
      CHECK( sf_base64_decode( out, sizeof( out ), m.account.data.p, m.account.data.n ) == 637 );
    }
    double rate = (double)( rounds / 5 ) * 1e3 / (double)( sf_clock_posix_ns( CLOCK_MONOTONIC ) - from );
    if( rate > best ) best = rate;
  }
  return best;
}

int main( void ) {
  sf_rng_seed( &rng, 1 );
  test_json();
  test_base64();
  test_url();
  test_rpc();
  test_requests();
  printf( "json: ok; %.2f M notifications/s scanned and decoded\n", measure() );
  return 0;
}
