/* sf-group: see tile/process.h. */

#include "tile/process.h"

int main( int argc, char ** argv ) { return sf_process_run( argc, argv, 0, 0 ); }
