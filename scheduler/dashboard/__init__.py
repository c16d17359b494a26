"""The dashboard: a page that shows what an executor does, and figures for Prometheus.

    feed        what happened, bounded; whoever runs tasks tells it, the page asks it for news
    spans       bars of the task stream, short ones merged
    jobs        queries, their stages, how far these are
    workers     who works, their memory and processors over time
    prometheus  the same as text for /metrics
    observer    an executor's events, told to a feed
    process     memory and processors of this process
    place       where a dashboard is: socket, token, URL
    access      who may see it
    app         the pages, on tornado
    background  a dashboard on a thread of its own, for executors of this process
    watch       what a cluster's scheduler hears and says, told to a feed
    of_cluster  a dashboard on the loop of that scheduler

Nothing of it is imported, made or called until somebody wants a dashboard.
"""
