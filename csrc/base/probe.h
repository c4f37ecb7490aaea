/* probe.h: what the machine takes for a thing that the engine may be made to do less of.  For tools; private memory
   only, some tens of milliseconds each. */

#ifndef SF_BASE_PROBE_H
#define SF_BASE_PROBE_H
#include <stdint.h>

/* sf_probe_line_ps returns the picoseconds of a load of a random cache line among `bytes`, which needs the load
   before: on ordinary pages, or with huge=1 on huge ones where the host gives them.  The least of some rounds; 0 if
   there is no memory for it. */
uint64_t sf_probe_line_ps( uint64_t bytes, int huge );

/* sf_probe_fault_ps returns the picoseconds of the first touch of a page, beyond those of another touch. */
uint64_t sf_probe_fault_ps( void );

#endif
