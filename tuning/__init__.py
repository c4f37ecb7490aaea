"""Host tuning: stages that check, apply, undo and explain one setting of the machine each.

    sniperforge tune check              what could be better, and the fix; needs no root
    sniperforge tune plan               which core for which group, what to boot with, what to apply
    sudo sniperforge tune apply         changes what can be changed now, and remembers what it found
    sudo sniperforge tune undo          puts back exactly what `apply` found

`python3 -m tuning` is the same.  Standard library only, so that it works before anything else is installed; the
stages of the network card alone ask pyroute2.  None of it is needed for the engine to run; it makes latencies
shorter and steadier.
"""
