"""The benchmark: measures the server beside its reference points, in one run.

    __main__          the command; which cases run, and where results go
    cases             what is measured: groups of runs that take turns, A B A B
    measure           one run: generator, CPU clocks, and the check that counters equal answers
    processes         everything that is started, found and stopped by process id
    proc              what Linux says of processes: CPU time and memory
    launcher          quotad with eyes in it: what a server sees of itself
    script_case       the Lua script alone;  redis_benchmark: the same from a client in C
    report            table, JSON and Markdown;  plots: pictures of a JSON
    check, costs      `make bench-check`: costs that are counted, beside the stored ones
    memory, soak      `make memory`, `make soak`
    h2gen             the load generator, a process of its own;  h2load: another one
    connection        its HTTP/2 connection;  frames: the bytes;  traffic: what is asked for
    reference_server  the least a batch loop can do;  noop_server: grpcio that does nothing
    prototype         an external one, when given

A run counts only when every request was answered and the counters in Redis moved by exactly what
the answers say; any other run is reported as FAILED and shows no numbers.
"""
