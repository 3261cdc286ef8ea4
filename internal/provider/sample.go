package provider

import (
	"fmt"

	"step-posture-connector/internal/provider/httpjson"
)

// Sample is a recorded answer of the server of an inventory.
type Sample = httpjson.Sample

// Offline returns the inventory with a recorded answer in place of its server. Nothing is sent, and no secret is needed.
func (s *Section) Offline(sample Sample) (Inventory, error) {
	if s.offline == nil {
		return Inventory{}, fmt.Errorf("the inventory %s is of the provider %s, which has no mapping to try; accepted: an inventory of the provider http", s.Name, s.Kind)
	}
	return Inventory{Name: s.Name, Kind: s.Kind, Provider: s.offline(sample), Required: s.Required}, nil
}
