use super::super::hierarchy::{Acs, Alias, Hierarchy, Malformed, Node, Port};
use super::{Because, Groups, isolation_groups, isolation_groups_behind};
use crate::Rid;

fn rid(text: &str) -> Rid {
    Rid::parse(text).unwrap()
}

fn node(at: &str, port: Port) -> Node {
    let rid = rid(at);
    Node {
        rid,
        port,
        secondary_bus: None,
        multifunction: rid.function() != 0,
        acs: Acs::Absent,
        aliases: Vec::new(),
        swapped_alias: false,
        physical: None,
    }
}

fn bridge(at: &str, port: Port, bus: u8) -> Node {
    Node { secondary_bus: Some(bus), ..node(at, port) }
}

fn with_acs(node: Node) -> Node {
    Node { acs: Acs::Present { capable: 0x7f, enabled: Acs::REQUIRED }, ..node }
}

fn many(node: Node) -> Node {
    Node { multifunction: true, ..node }
}

fn groups(nodes: &[Node]) -> Groups {
    let hierarchy = Hierarchy::new(nodes.to_vec()).unwrap();
    let order: Vec<_> = hierarchy.nodes().iter().map(|node| node.rid).collect();
    isolation_groups(&hierarchy, order)
}

fn members(groups: &Groups) -> Vec<Vec<String>> {
    let names = |group: &Vec<Rid>| group.iter().map(Rid::to_string).collect();
    groups.all().iter().map(names).collect()
}

#[test]
fn a_port_without_acs_takes_in_what_is_behind_it() {
    let open = [bridge("00:05.0", Port::Root, 1), node("01:00.0", Port::Endpoint)];
    let together = groups(&open);
    assert_eq!(members(&together), [["00:05.0", "01:00.0"]]);
    let join = together.join(rid("01:00.0")).unwrap();
    assert_eq!(join.because, Because::NoAcs { open: rid("00:05.0") });
    let closed = [with_acs(open[0].clone()), open[1].clone()];
    assert_eq!(members(&groups(&closed)), [["00:05.0"], ["01:00.0"]]);
    // What is not implemented counts as wired on; what is implemented and off does not.
    let partial = |capable, enabled| {
        let port = Node { acs: Acs::Present { capable, enabled }, ..open[0].clone() };
        groups(&[port, open[1].clone()]).all().len()
    };
    assert_eq!((partial(0, 0), partial(0x1d, 0x0d), partial(0x1d, 0x1d)), (2, 1, 2));
    let quirk = Node { acs: Acs::Quirk, ..open[0].clone() };
    assert_eq!(groups(&[quirk, open[1].clone()]).all().len(), 2);
}

/// A switch: functions behind one downstream port reach those behind another unless both the port
/// and everything above it isolate.
#[test]
fn every_port_on_the_way_up_counts() {
    let switch = |root: fn(Node) -> Node, down: fn(Node) -> Node| {
        groups(&[
            root(bridge("00:01.0", Port::Root, 1)),
            bridge("01:00.0", Port::Upstream, 2),
            down(bridge("02:00.0", Port::Downstream, 3)),
            down(bridge("02:01.0", Port::Downstream, 4)),
            node("03:00.0", Port::Endpoint),
            node("04:00.0", Port::Endpoint),
        ])
    };
    let same: fn(Node) -> Node = |node| node;
    assert_eq!(switch(with_acs, with_acs).all().len(), 6);
    // Behind an open root port, all functions are one group.
    let one = switch(same, with_acs);
    assert_eq!(one.all().len(), 1);
    let why = one.why(rid("03:00.0"), rid("04:00.0")).unwrap();
    let steps: Vec<_> = why.iter().map(|join| (join.rid, join.with)).collect();
    let [a, b, up] = ["03:00.0", "04:00.0", "02:00.0"].map(rid);
    assert_eq!((steps[0], steps.last()), ((a, up), Some(&(b, rid("02:01.0")))));
    assert_eq!(why[0].because, Because::NoAcs { open: rid("00:01.0") });
    // Open downstream ports join the functions behind them, and sibling ports stay apart all the
    // same: the walk up ends where everything above isolates.
    let open = switch(with_acs, same);
    assert_eq!(
        members(&open),
        [vec!["00:01.0"], vec!["01:00.0"], vec!["02:00.0", "03:00.0"], vec!["02:01.0", "04:00.0"]]
    );
    assert_eq!(open.why(a, b), None);
}

#[test]
fn a_bridge_to_pci_and_all_behind_it_are_one() {
    let nodes = [
        bridge("00:06.0", Port::PciBridge, 2),
        node("02:01.0", Port::Conventional),
        node("02:02.0", Port::Conventional),
        bridge("02:03.0", Port::Conventional, 3),
        node("03:00.0", Port::Conventional),
    ];
    let found = groups(&nodes);
    assert_eq!(found.all().len(), 1);
    let join = found.join(rid("02:02.0")).unwrap();
    assert_eq!(
        (join.with, join.because),
        (rid("00:06.0"), Because::Bridge { alias: rid("02:00.0") })
    );
    let hierarchy = Hierarchy::new(nodes.to_vec()).unwrap();
    let alias = |at: &str, by: &str| Alias { rid: rid(at), by: rid(by) };
    let aliases =
        [alias("03:00.0", "03:00.0"), alias("02:03.0", "02:03.0"), alias("02:00.0", "00:06.0")];
    assert_eq!(hierarchy.aliases(rid("03:00.0")), aliases);
    assert_eq!(hierarchy.message_alias(rid("03:00.0")), rid("02:00.0"));
    assert_eq!(hierarchy.message_alias(rid("00:06.0")), rid("00:06.0"));
}

#[test]
fn a_bridge_known_to_swap_its_alias_does() {
    let swapped = |port| {
        let bridge = Node { swapped_alias: true, ..bridge("00:06.0", port, 2) };
        let hierarchy = Hierarchy::new(vec![bridge, node("02:01.0", Port::Conventional)]).unwrap();
        hierarchy.message_alias(rid("02:01.0"))
    };
    assert_eq!(swapped(Port::PciBridge), rid("00:06.0"));
    assert_eq!(swapped(Port::Conventional), rid("02:00.0"));
}

#[test]
fn functions_of_a_device_are_one_without_acs() {
    let pair = [many(node("00:04.0", Port::Conventional)), node("00:04.1", Port::Conventional)];
    let one = groups(&pair);
    assert_eq!(members(&one), [["00:04.0", "00:04.1"]]);
    assert_eq!(one.join(rid("00:04.1")).unwrap().because, Because::Functions);
    let express = pair.clone().map(|node| Node { port: Port::Endpoint, ..node });
    assert_eq!(groups(&express).all().len(), 1);
    let apart = express.clone().map(with_acs);
    assert_eq!(groups(&apart).all().len(), 2);
    // A function that isolates itself is alone, whatever the other does.
    assert_eq!(groups(&[apart[0].clone(), express[1].clone()]).all().len(), 2);
}

#[test]
fn who_sends_as_another_is_with_it() {
    let alias = Node { aliases: vec![0x01], ..many(with_acs(node("00:04.0", Port::Endpoint))) };
    let other = with_acs(node("00:00.1", Port::Endpoint));
    let far = with_acs(node("00:01.0", Port::Endpoint));
    let found = groups(&[alias.clone(), other, far]);
    assert_eq!(members(&found), [vec!["00:00.1", "00:04.0"], vec!["00:01.0"]]);
    assert_eq!(found.join(rid("00:04.0")).unwrap().because, Because::Alias);
    let hierarchy = Hierarchy::new(vec![alias]).unwrap();
    let aliases: Vec<_> = hierarchy.aliases(rid("00:04.0")).iter().map(|a| a.rid).collect();
    assert_eq!(aliases, [rid("00:04.0"), rid("00:00.1")]);
    // An alias on its own bus does not affect messages.
    assert_eq!(hierarchy.message_alias(rid("00:04.0")), rid("00:04.0"));
}

#[test]
fn virtual_functions_are_alone_behind_a_port_with_acs() {
    let physical = many(node("01:00.0", Port::Endpoint));
    let virtual_at = |at: &str| Node {
        multifunction: false,
        physical: Some(physical.rid),
        ..node(at, Port::Endpoint)
    };
    let nodes = |port: Node| {
        [
            port,
            physical.clone(),
            virtual_at("01:10.0"),
            virtual_at("01:10.2"),
            virtual_at("02:00.0"),
        ]
    };
    let port = bridge("00:01.0", Port::Root, 1);
    assert_eq!(groups(&nodes(with_acs(port.clone()))).all().len(), 5);
    // The bus of the last one exists for virtual functions alone and is below the same port.
    let found = groups(&nodes(port));
    assert_eq!(found.all().len(), 1);
    assert_eq!(found.join(rid("02:00.0")).unwrap().with, rid("00:01.0"));
}

#[test]
fn aliases_are_followed_through_neighbours_without_a_group() {
    let nodes = vec![
        Node { aliases: vec![0x10], ..node("00:01.0", Port::Endpoint) },
        node("00:02.0", Port::Endpoint),
        Node { aliases: vec![0x10], ..node("00:03.0", Port::Endpoint) },
    ];
    let hierarchy = Hierarchy::new(nodes).unwrap();
    let order = |names: [&str; 3]| isolation_groups(&hierarchy, names.map(rid)).all().len();
    assert_eq!(order(["00:01.0", "00:02.0", "00:03.0"]), 1);
    // The aliases of a neighbour that has no group yet are followed too.
    assert_eq!(order(["00:01.0", "00:03.0", "00:02.0"]), 1);
    let some = isolation_groups(&hierarchy, ["00:02.0", "07:00.0", "00:02.0"].map(rid));
    assert_eq!(members(&some), [["00:02.0"]]);
}

/// Functions that the IOMMU cannot distinguish are joined before the hierarchy is searched, and
/// later functions find the resulting group.
#[test]
fn an_entry_that_is_shared_makes_one_group() {
    let [one, other] = ["00:01.0", "00:02.0"].map(rid);
    let nodes = [node("00:01.0", Port::Endpoint), many(node("00:02.0", Port::Endpoint))];
    let nodes = [&nodes[..], &[many(node("00:02.1", Port::Endpoint))]].concat();
    let hierarchy = Hierarchy::new(nodes).unwrap();
    let order = ["00:01.0", "00:02.0", "00:02.1"].map(rid);
    let sharing = |rid| (rid == other).then_some(one);
    let found = isolation_groups_behind(&hierarchy, order, sharing);
    assert_eq!(members(&found), [["00:01.0", "00:02.0", "00:02.1"]]);
    let joins = [other, rid("00:02.1")].map(|rid| found.join(rid).unwrap().because);
    assert_eq!(joins, [Because::Entry, Because::Functions]);
    // A function that comes later has no group to join yet.
    let early = isolation_groups_behind(&hierarchy, [other, one], sharing);
    assert_eq!(members(&early), [["00:02.0"], ["00:01.0"]]);
}

/// The kernel does not look down from a bridge.
#[test]
fn a_bridge_that_comes_last_is_apart() {
    let nodes = vec![bridge("00:06.0", Port::PciBridge, 2), node("02:01.0", Port::Conventional)];
    let hierarchy = Hierarchy::new(nodes).unwrap();
    let count = |names: [&str; 2]| isolation_groups(&hierarchy, names.map(rid)).all().len();
    assert_eq!((count(["00:06.0", "02:01.0"]), count(["02:01.0", "00:06.0"])), (1, 2));
}

#[test]
fn what_is_no_hierarchy_is_refused() {
    let refusal = |nodes: &[Node]| Hierarchy::new(nodes.to_vec()).unwrap_err();
    let port = bridge("00:01.0", Port::Root, 1);
    assert_eq!(refusal(&[port.clone(), port.clone()]), Malformed::SameRid(port.rid));
    let other = bridge("00:02.0", Port::Root, 1);
    assert_eq!(refusal(&[port.clone(), other.clone()]), Malformed::SameBus(port.rid, other.rid, 1));
    let circle = [bridge("01:00.0", Port::Upstream, 2), bridge("02:00.0", Port::Downstream, 1)];
    assert_eq!(refusal(&circle), Malformed::Circle(circle[0].rid));
    let itself = bridge("01:00.0", Port::Upstream, 1);
    assert_eq!(refusal(core::slice::from_ref(&itself)), Malformed::Circle(itself.rid));
    let orphan = Node { physical: Some(port.rid), ..node("01:10.0", Port::Endpoint) };
    assert_eq!(
        refusal(core::slice::from_ref(&orphan)),
        Malformed::NoPhysical(orphan.rid, port.rid)
    );
}
