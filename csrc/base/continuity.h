/* continuity.h: whether this process and its machine ran on without a break, and whether the host can make one.

   Memory that was copied (a snapshot of the machine, a checkpoint of the process, hibernation) may come to life a second
   time.  What must be used once cannot be kept in such memory, so its owner looks often, and throws it away when something
   happened that ends or resumes a copy:

     the process stood still        longer than SF_CONTINUITY_GAP_NS between two looks
     the clocks moved apart         TSC, MONOTONIC, BOOTTIME, REALTIME by more than SF_CONTINUITY_APART_NS between two looks
     the machine says so            disruption marker or generation of /dev/vmclock0, where there is one
     boot id, process number        are others

   None of these sees a machine whose clocks all go on where the copy was made and that has no vmclock: therefore also
   sf_continuity_host, which says beforehand that a host can be copied. */

#ifndef SF_BASE_CONTINUITY_H
#define SF_BASE_CONTINUITY_H
#include <stdint.h>

#define SF_CONTINUITY_GAP_NS   100000000L
#define SF_CONTINUITY_APART_NS 10000000L

#define SF_BREAK_STOPPED    1
#define SF_BREAK_CLOCKS     2
#define SF_BREAK_GENERATION 3
#define SF_BREAK_BOOT       4
#define SF_BREAK_PROCESS    5

typedef struct sf_continuity_reading {
  uint64_t tsc;
  uint64_t monotonic_ns;
  uint64_t boot_ns;
  uint64_t real_ns;
  uint64_t disruption; /* of the vmclock, as generation; 0 without one */
  uint64_t generation;
} sf_continuity_reading_t;

typedef struct sf_continuity {
  sf_continuity_reading_t last;
  uint64_t rate; /* ns per tick << SF_CLOCK_SHIFT; 0 = the TSC is not used */
  void const * vmclock;
  int32_t pid;
  char boot_id[44];
} sf_continuity_t;

/* sf_continuity_open takes the first look.  vmclock is the device's path ("/dev/vmclock0"); it may be absent.
   Fails with SF_ERR_SYS if the boot id cannot be read. */
int sf_continuity_open( sf_continuity_t * c, char const * vmclock );
void sf_continuity_close( sf_continuity_t * c );

/* sf_continuity_look returns 0, or the SF_BREAK_* that happened since the last look.  Hot: four clocks, no system call. */
uint32_t sf_continuity_look( sf_continuity_t * c );

/* sf_continuity_look_closely looks at process number and boot id too, by system calls. */
uint32_t sf_continuity_look_closely( sf_continuity_t * c );

/* sf_continuity_break compares two readings. */
uint32_t sf_continuity_break( sf_continuity_reading_t const * before, sf_continuity_reading_t const * after,
                              uint64_t rate );

/* sf_continuity_hypervisor returns 1 if cpuid says that this is a virtual machine. */
int sf_continuity_hypervisor( void );

/* sf_continuity_host returns 0 if nothing was found by which this host's memory can be copied and resumed, otherwise
   SF_ERR_STATE and as sentence what was found.  It looks at the hypervisor bit (given), at the PID namespace, the marks of
   container engines and /proc/1/cgroup, for a criu program, and whether a resume device for hibernation is set.
   `root` stands before each path: "" but in tests. */
int sf_continuity_host( char const * root, int hypervisor );

#endif
