/* owner.h: who created an instance: the text file `owner` with the pid, the
   start time of that process (ticks since boot) and the boot id.  A pid alone
   would be mistaken once it is given to another process. */

#ifndef SF_SHM_OWNER_H
#define SF_SHM_OWNER_H

/* sf_owner_write makes <dir>/owner for the calling process. */
int sf_owner_write( char const * dir );

#endif
