"""Host tuning: stages that check, apply and undo one setting of the machine each.

    python -m tuning check              what could be better, and the fix; needs no root
    sudo python -m tuning apply         changes what can be changed now, and remembers what it found
    sudo python -m tuning undo          puts back exactly what `apply` found

Standard library only, so that it works before anything else is installed.  None of it is needed
for the engine to run; it makes latencies shorter and steadier.
"""
