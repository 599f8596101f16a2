"""What is wrong with a running system, and how to mend it.

`examine` takes readings (statements in `queries`), and hands each to a check: a pure function that
answers with one `Finding`. The command `doctor` prints the findings, and a page may show them.

    readings ──► checks (server, storage, fleet, shutdown) ──► findings: ok · warning · problem

A warning is what costs speed or goes wrong some day; a problem is what makes jobs wait, run twice
or be refused now, or soon. A check that could not be made is a warning that says why.
"""
