package jamf_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
)

// fleet are so many computers with all facts: 8 of 200 groups and 10 attributes each.
func fleet(n int) []jamftest.Device {
	var devices []jamftest.Device
	for i := range n {
		d := mac(manySerial(i))
		d.Name = "mac-" + strconv.Itoa(i)
		d.User.Username, d.User.Email = "user"+strconv.Itoa(i), fmt.Sprintf("user%d@example.com", i)
		d.User.Department = "Department " + strconv.Itoa(i%50)
		for g := range 8 {
			d.Groups = append(d.Groups, jamftest.Group{Name: "Group " + strconv.Itoa((i+25*g)%200), Smart: g%2 == 0})
		}
		for a := range 10 {
			d.Details.Attributes = append(d.Details.Attributes, jamftest.Attribute{
				Name: "Attribute " + strconv.Itoa(a), Values: []string{"value " + strconv.Itoa((i+a)%100)},
			})
		}
		devices = append(devices, d)
	}
	return devices
}

// TestListCost: a list of computers makes one request for 500 of them, and one each for token, version and names of
// departments. LIST_DEVICES=100000 measures a large one; go test -v shows what it took.
func TestListCost(t *testing.T) {
	t.Parallel()
	n := 600
	if text := os.Getenv("LIST_DEVICES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("LIST_DEVICES is %q, want a number", text)
		}
	}
	server := started(t, jamftest.Options{Devices: fleet(n)})
	c := configOf(server, "pro")
	c.ReadFacts()
	provider := opened(t, c)
	begin, records := time.Now(), 0
	got, err := provider.List(t.Context(), posture.List{Type: posture.Computer, Facts: posture.AllFacts()}, func(l posture.Listing) error {
		records++
		groups, known := l.Facts.Groups.Get()
		attributes, _ := l.Facts.Attributes.Get()
		if l.Damaged || !known || len(groups) != 8 || len(attributes) != 10 {
			return fmt.Errorf("%s has %d groups and %d attributes", l.Identifier, len(groups), len(attributes))
		}
		return nil
	})
	took := time.Since(begin)
	if err != nil || got.Total != n || records != n {
		t.Fatalf("List = %+v, %v, with %d records, want %d", got, err, records, n)
	}
	const others = 3 // token, version, departments
	pages := n/500 + 1
	if asked := server.Count(); asked != pages+others {
		t.Errorf("the list made %d requests, want %d", asked, pages+others)
	}
	t.Logf("%d devices: %d requests, %v, most at once %d", n, server.Count(), took.Round(time.Millisecond), server.MostAtOnce())
}
