/* sf_abi.h: what every shared object begins with.

   Everything under /dev/shm/sf-<instance>/ is a workspace: a file that holds
   objects one after the other, each at a multiple of 128 bytes.  An object
   begins with sf_object_t; its magic is written last, so an object whose magic
   is right is complete.  These headers (ipc/include) are the only description
   of the layouts: the cffi definitions are made from them by the preprocessor,
   numpy types are made from the cffi types, and SF_ABI_HASH is the first eight
   bytes (big-endian) of the SHA-256 of that preprocessed text and the values of
   the constants, passed in by the build.  Fixed-width types, explicit padding, no pointers, no floats. */

#ifndef SF_ABI_H
#define SF_ABI_H

#ifndef SF_CDEF
#include <stdint.h>
#define SF_ASSERT( c ) _Static_assert( c, #c );
#else
#define SF_ASSERT( c )
#endif

#define SF_ABI_MAJOR   1
#define SF_OBJECT_MAGIC 0x53464f424a454354 /* "SFOBJECT" */

#define SF_LINE        64  /* bytes of a cache line */
#define SF_ALIGN       128 /* objects and independently written lines stand this far apart */
#define SF_NAME_MAX    32  /* bytes of a name with its terminating zero */

/* kinds of object */
#define SF_KIND_TOPOLOGY 1
#define SF_KIND_CONTROL  2
#define SF_KIND_LINK     3
#define SF_KIND_EDGE     4
#define SF_KIND_TABLE    5
#define SF_KIND_CNC      6
#define SF_KIND_POOL     7

typedef struct sf_object {
  uint64_t magic;             /* SF_OBJECT_MAGIC, written last by the creator */
  uint32_t kind;              /* SF_KIND_* */
  uint32_t abi_major;         /* SF_ABI_MAJOR */
  uint64_t abi_hash;          /* SF_ABI_HASH */
  uint64_t size;              /* bytes of the whole object, this header included */
  char     name[SF_NAME_MAX]; /* zero-terminated */
} sf_object_t;
SF_ASSERT( sizeof(sf_object_t)==64 )

/* Error codes: every C function returns 0 (or a count) or one of these. */
#define SF_ERR_ARG      (-1)  /* an argument or a configuration value is wrong */
#define SF_ERR_SYS      (-2)  /* a system call failed; the sentence has errno */
#define SF_ERR_ABI      (-3)  /* magic, version, hash, kind or size does not match */
#define SF_ERR_FULL     (-4)  /* no credit, no free element, no room */
#define SF_ERR_EMPTY    (-5)  /* nothing there (yet) */
#define SF_ERR_OVERRUN  (-6)  /* the writer went past this reader */
#define SF_ERR_NOTFOUND (-7)  /* no such name */
#define SF_ERR_DATA     (-8)  /* bytes from outside are malformed; the sentence has the offset */
#define SF_ERR_STATE    (-9)  /* not allowed in this state */
#define SF_ERR_LIMIT    (-10) /* a limit of the system or of the configuration is reached */
#define SF_ERR_CRYPTO   (-11) /* a key or signature is bad */
#define SF_ERR_IO       (-12) /* a peer or a file answered wrongly */
#define SF_ERR_TIMEOUT  (-13) /* a deadline passed */

#endif
