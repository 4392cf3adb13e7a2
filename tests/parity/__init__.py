"""Every peer's schedules, in our terms: a cookbook, held to the peers' own numbers.

`peers/` has a module for each: a function per schedule, named and called as there,
whose body is an expression in the public interface. The modules of the peers that
`jaxsched.compat` serves only have the calls.
"""
