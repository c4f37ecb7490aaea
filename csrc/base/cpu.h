/* cpu.h: which cores and NUMA nodes there are, and putting threads on them. */

#ifndef SF_BASE_CPU_H
#define SF_BASE_CPU_H
#include "sf_abi.h"

#define SF_CPU_MAX 1024

/* sf_cpu_available writes the numbers of the cores this process may use, in
   rising order, and returns how many (at least 1). */
uint32_t sf_cpu_available( uint32_t core[SF_CPU_MAX] );

/* sf_cpu_node returns the NUMA node of a core, 0 if the host has one node. */
uint32_t sf_cpu_node( uint32_t core );

/* sf_cpu_node_count returns the number of NUMA nodes (1 without NUMA). */
uint32_t sf_cpu_node_count( void );

/* sf_cpu_pin puts the calling thread on one core for good. */
int sf_cpu_pin( uint32_t core );

/* sf_cpu_avoid keeps the calling thread off the given cores; does nothing if no
   other core would be left. */
int sf_cpu_avoid( uint32_t const * core, uint32_t cnt );

/* sf_cpu_name_thread names the calling thread (cut to 15 bytes). */
void sf_cpu_name_thread( char const * name );

#endif
