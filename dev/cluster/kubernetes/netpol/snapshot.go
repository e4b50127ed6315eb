// Package netpol enforces NetworkPolicies on one node of the development
// cluster: it renders pods, namespaces and policies into one nftables table
// and loads that table in one transaction. Rendering is a pure function of a
// Snapshot; watching and loading live in files of their own.
package netpol

import (
	"net/netip"
	"sort"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Snapshot is everything that the rules depend on.
type Snapshot struct {
	// Node is the node whose pods are guarded; pods elsewhere are only peers.
	Node string
	// PodRange holds the addresses that this node gives to pods.
	PodRange   netip.Prefix
	Pods       []*corev1.Pod
	Namespaces []*corev1.Namespace
	Policies   []*networkingv1.NetworkPolicy
}

// endpoint is a pod that has an address of its own.
type endpoint struct {
	pod     *corev1.Pod
	address netip.Addr
}

// endpoints lists pods that can send and receive as themselves, in a stable
// order. A pod on the host's network has the node's address, which policies
// do not select; the address of a finished pod may belong to another by now.
func (s *Snapshot) endpoints() []endpoint {
	var found []endpoint
	for _, pod := range s.Pods {
		if pod.Spec.HostNetwork || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		address, err := netip.ParseAddr(pod.Status.PodIP)
		if err != nil || !address.Is4() {
			continue
		}
		found = append(found, endpoint{pod, address})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].address.Less(found[j].address) })
	return found
}

func (s *Snapshot) policiesSorted() []*networkingv1.NetworkPolicy {
	sorted := append([]*networkingv1.NetworkPolicy(nil), s.Policies...)
	sort.Slice(sorted, func(i, j int) bool {
		if sorted[i].Namespace != sorted[j].Namespace {
			return sorted[i].Namespace < sorted[j].Namespace
		}
		return sorted[i].Name < sorted[j].Name
	})
	return sorted
}

func (s *Snapshot) namespaceLabels() map[string]map[string]string {
	labels := make(map[string]map[string]string, len(s.Namespaces))
	for _, namespace := range s.Namespaces {
		labels[namespace.Name] = namespace.Labels
	}
	return labels
}
