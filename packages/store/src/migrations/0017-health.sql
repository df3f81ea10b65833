-- What a pool does of itself about hosts that are not well: ask, quarantine, evacuate.
alter table pools add column health text not null default 'ask';
