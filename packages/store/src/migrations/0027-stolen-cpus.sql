-- How many CPUs a hypervisor under the host took from it, on average; null: not known.
alter table load_samples add column stolen_cpus real;
