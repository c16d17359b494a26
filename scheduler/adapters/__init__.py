"""Task graphs on clusters that are there already: Dask's and Ray's.

Their floor is about a millisecond a task, and twenty for a step that waits for the one before, so
tasks go there in *batches*: what one worker, going depth first, would run in the next 50 ms or
more. The client keeps the graph (`batching`, pure), sends a batch when what it needs is there, two
for each slot of the cluster, and learns from each *report* how long the tasks took, what came out
and where it is (`foreign`). Results stay in the cluster. `batch` is what runs over there, the same
for both; `dask` and `ray` only say how a batch is sent and a result fetched.
"""
