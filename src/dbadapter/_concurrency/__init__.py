"""Waiting, holding and keeping house, once for tasks (`_aio`) and once for threads (`_threads`).

The two modules define the same names, so that generated code differs from written code in the import alone.
"""
