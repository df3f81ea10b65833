-- Switches of hosts that share no layer 2: the segment's number, the UDP port, and which of a host's addresses it is sent from.
alter table switches
  add column vni integer unique check (vni between 1 and 16777215),
  add column vxlan_port integer check (vxlan_port between 1 and 65535),
  add column underlay text,
  add constraint switches_vxlan check (num_nulls(vni, vxlan_port, underlay) in (0, 3)),
  add constraint switches_uplink_or_vxlan check (vni is null or uplink is null);
