package netpol

import (
	"fmt"
	"net/netip"
	"strings"
)

const table = "pinfold_netpol"

// Render makes the input of `nft -f`: it replaces the whole table in one transaction.
//
// A verdict of a pod's chain is return (allowed by this pod, the other end
// still has its say) or drop. Replies pass first. Traffic from the node's own
// processes, kubelet's probes among it, does not cross these hooks.
//
// An address of the node's pod range that no known pod has is dropped: a new
// pod waits for its rules instead of running without any for a moment.
func Render(s *Snapshot) string {
	all := s.endpoints()
	policies := s.policiesSorted()
	namespaces := s.namespaceLabels()

	var chains strings.Builder
	var local []netip.Addr
	guarded := map[direction][]string{}
	for _, pod := range all {
		if pod.pod.Spec.NodeName != s.Node {
			continue
		}
		local = append(local, pod.address)
		for _, side := range []direction{ingress, egress} {
			rules, selected := rulesFor(pod, policies, side)
			if !selected {
				continue
			}
			name := chainName(pod.address, side)
			guarded[side] = append(guarded[side], fmt.Sprintf("%s : jump %s", pod.address, name))
			fmt.Fprintf(&chains, "\tchain %s {\n\t\tcomment \"%s/%s\"\n", name, pod.pod.Namespace, pod.pod.Name)
			for _, line := range lines(pod, rules, side, all, namespaces) {
				fmt.Fprintf(&chains, "\t\t%s return\n", line)
			}
			chains.WriteString("\t\tcounter drop\n\t}\n")
		}
	}

	var out strings.Builder
	fmt.Fprintf(&out, "table ip %s {}\ndelete table ip %s\ntable ip %s {\n", table, table, table)
	set(&out, "set local_pods", "type ipv4_addr", addresses(local))
	set(&out, "map from_pod", "type ipv4_addr : verdict", guarded[egress])
	set(&out, "map to_pod", "type ipv4_addr : verdict", guarded[ingress])
	out.WriteString(chains.String())
	out.WriteString("\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n")
	out.WriteString("\t\tct state established,related accept\n")
	fmt.Fprintf(&out, "\t\tip saddr %s ip saddr != @local_pods counter drop\n", s.PodRange)
	fmt.Fprintf(&out, "\t\tip daddr %s ip daddr != @local_pods counter drop\n", s.PodRange)
	out.WriteString("\t\tip saddr vmap @from_pod\n\t\tip daddr vmap @to_pod\n\t}\n")
	out.WriteString("\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n")
	out.WriteString("\t\tct state established,related accept\n")
	// The first address of the range is the node's own end of the pods' links.
	fmt.Fprintf(&out, "\t\tip saddr %s ip saddr != @local_pods ip saddr != %s counter drop\n", s.PodRange, s.PodRange.Addr().Next())
	out.WriteString("\t\tip saddr vmap @from_pod\n\t}\n}\n")
	return out.String()
}

func chainName(address netip.Addr, side direction) string {
	suffix := "ingress"
	if side == egress {
		suffix = "egress"
	}
	return "pod_" + strings.ReplaceAll(address.String(), ".", "_") + "_" + suffix
}

// lines makes the conditions under which one pod's traffic is allowed.
func lines(pod endpoint, rules []rule, side direction, all []endpoint, namespaces map[string]map[string]string) []string {
	var found []string
	for _, entry := range rules {
		for _, port := range portMatches(entry.ports) {
			for _, peer := range peerMatches(entry, side, all, namespaces) {
				found = append(found, combine(pod, port, peer, side)...)
			}
		}
	}
	return found
}

// peerMatch is the address condition of one rule; pods is set when it stands
// for known pods, on which a named port can be looked up.
type peerMatch struct {
	expression string
	pods       []endpoint
}

func peerMatches(entry rule, side direction, all []endpoint, namespaces map[string]map[string]string) []peerMatch {
	field := "saddr"
	if side == egress {
		field = "daddr"
	}
	if len(entry.peers) == 0 {
		return []peerMatch{{pods: all}}
	}
	var found []peerMatch
	for _, peer := range entry.peers {
		if peer.IPBlock != nil {
			block, err := netip.ParsePrefix(peer.IPBlock.CIDR)
			if err != nil || !block.Addr().Is4() {
				continue
			}
			expression := fmt.Sprintf("ip %s %s", field, block.Masked())
			// One condition each: exceptions may overlap, members of a set may not.
			for _, except := range blocks(peer.IPBlock.Except) {
				expression += fmt.Sprintf(" ip %s != %s", field, except)
			}
			found = append(found, peerMatch{expression: expression})
			continue
		}
		pods := peersOf(peer, entry.namespace, all, namespaces)
		if len(pods) == 0 {
			continue
		}
		expression := fmt.Sprintf("ip %s { %s }", field, strings.Join(addressesOf(pods), ", "))
		found = append(found, peerMatch{expression, pods})
	}
	return found
}

// combine joins the address and port conditions. A named port is the selected
// pod's own for ingress; for egress it is each peer's, so that a peer that is
// no pod has none.
func combine(pod endpoint, port portMatch, peer peerMatch, side direction) []string {
	if port.name == "" || side == ingress {
		expression, known := port.on(pod.pod)
		if !known {
			return nil
		}
		return []string{strings.TrimSpace(peer.expression + " " + expression)}
	}
	var found []string
	for _, target := range peer.pods {
		if expression, known := port.on(target.pod); known {
			found = append(found, fmt.Sprintf("ip daddr %s %s", target.address, expression))
		}
	}
	return found
}

func blocks(list []string) []netip.Prefix {
	var found []netip.Prefix
	for _, text := range list {
		if block, err := netip.ParsePrefix(text); err == nil && block.Addr().Is4() {
			found = append(found, block.Masked())
		}
	}
	return found
}

func addressesOf(pods []endpoint) []string {
	list := make([]netip.Addr, 0, len(pods))
	for _, pod := range pods {
		list = append(list, pod.address)
	}
	return addresses(list)
}

// addresses drops repetitions, which nftables refuses in a set.
func addresses(list []netip.Addr) []string {
	var found []string
	for index, address := range list {
		if index == 0 || list[index-1] != address {
			found = append(found, address.String())
		}
	}
	return found
}

func set(out *strings.Builder, head, kind string, elements []string) {
	fmt.Fprintf(out, "\t%s {\n\t\t%s\n", head, kind)
	if len(elements) > 0 {
		fmt.Fprintf(out, "\t\telements = { %s }\n", strings.Join(elements, ", "))
	}
	out.WriteString("\t}\n")
}
