/* url.h: the four kinds of address a node is reached by: ws, wss, http, https.

   A provider's URL often carries an API key in its path or query, so no
   sentence made here repeats anything behind the host. */

#ifndef SF_IO_URL_H
#define SF_IO_URL_H
#include <stdint.h>

#define SF_URL_HOST_MAX 256
#define SF_URL_PATH_MAX 1024

typedef struct sf_url {
  char host[SF_URL_HOST_MAX];           /* without brackets */
  char path[SF_URL_PATH_MAX];           /* path and query, begins with '/' */
  char authority[SF_URL_HOST_MAX + 16]; /* for the Host header: brackets and a port that is not the scheme's own */
  uint16_t port;
  uint8_t tls;       /* 1: wss, https */
  uint8_t websocket; /* 1: ws, wss */
} sf_url_t;

/* sf_url_parse takes text apart.  Returns 0, or SF_ERR_ARG with a sentence:
   unknown scheme, no host, bad port, user info, fragment, too long, or a
   character that may not stand in a request line. */
int sf_url_parse( sf_url_t * url, char const * text );

#endif
