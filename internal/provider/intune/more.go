package intune

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// complete asks for what a managedDevice does not have, where it is wanted: the groups of the device, and the position and the
// department of its user. Both requests run at once, so that a lookup has two steps at most.
func (p *Provider) complete(ctx context.Context, r *record, d *posture.Device, wanted vendorhttp.Wanted) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	groups := func() ([]string, error) { return nil, nil }
	user := func() (person, error) { return person{}, nil }
	if wanted.Has(p.groupFacts) {
		ctx, cancel := wanted.Within(ctx, p.groupFacts)
		defer cancel()
		groups = started(func() ([]string, error) { return p.groups(ctx, r) })
	}
	if wanted.Has(p.userFacts) {
		ctx, cancel := wanted.Within(ctx, p.userFacts)
		defer cancel()
		user = started(func() (person, error) { return p.user(ctx, r) })
	}
	names, err := groups()
	switch {
	case err != nil && wanted.Fails(p.groupFacts):
		return err
	case err == nil && wanted.Has(p.groupFacts):
		d.Facts.Groups = posture.Known(names)
	}
	of, err := user()
	if err != nil && wanted.Fails(p.userFacts) {
		return err
	}
	d.Facts.User.Position, d.Facts.User.Department = of.JobTitle.Fact(), of.Department.Fact()
	return nil
}

// started begins work, and returns a function that waits for its result.
func started[T any](work func() (T, error)) func() (T, error) {
	type result struct {
		value T
		err   error
		panic *panics.Panic
	}
	results := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			r.panic = panics.Recovered(recover())
			results <- r
		}()
		r.value, r.err = work()
	}()
	return func() (T, error) {
		r := <-results
		if r.panic != nil {
			panic(r.panic) // a fault of the connector, which must not look like one of Microsoft's
		}
		return r.value, r.err
	}
}

// noGUID is what Intune writes where there is no ID.
const noGUID = "00000000-0000-0000-0000-000000000000"

// groupPrefix is in front of the object ID of a group.
const groupPrefix = "id:"

// isGroupID reports whether a group is an object ID and not a name.
func isGroupID(group string) bool {
	id, is := strings.CutPrefix(strings.ToLower(group), groupPrefix)
	return is && isGUID(id)
}

// requiredGroup is a group as groups has it. An ID alone is one too: a name in its form would name nothing better.
func requiredGroup(group string) string {
	switch {
	case isGroupID(group):
		return strings.ToLower(group)
	case isGUID(group):
		return groupPrefix + strings.ToLower(group)
	}
	return group
}

// groups are those of the Entra device, the ones that it is a member of through others included: of each its name, and id: with
// its object ID. Names in Entra are not unique, and users may be allowed to make groups; an ID names one group.
func (p *Provider) groups(ctx context.Context, r *record) ([]string, error) {
	id := r.AzureADDeviceID.Said()
	switch {
	case r.AzureADDeviceID.Kind == '"' && (id == "" || id == noGUID):
		return []string{}, nil // the device is not registered in Entra, so no group can have it
	case !isGUID(id):
		return nil, errors.New(groupsEndpoint + ": the record of the device does not say whether it is registered in Entra")
	}
	path := "/v1.0/devices(deviceId='" + id + "')/transitiveMemberOf/microsoft.graph.group"
	query := url.Values{"$select": {"id,displayName"}, "$count": {"true"}, "$top": {strconv.Itoa(groupPageSize)}}
	all := []string{}
	for range maxGroupPages {
		// Graph filters by the type of an object only with this header.
		body, err := p.Ask(ctx, vendorhttp.Request{
			Endpoint: groupsEndpoint, Method: http.MethodGet, Path: path, Query: query, Header: http.Header{"ConsistencyLevel": {"eventual"}},
		})
		if err != nil {
			return nil, missing(err, groupsEndpoint, "Entra does not have the device, or not yet, so its groups are not known")
		}
		var answer struct {
			Value *[]vendorjson.Record[group] `json:"value"`
			Next  vendorjson.Text             `json:"@odata.nextLink"`
		}
		if err := p.Decode(groupsEndpoint, "a list of groups", body, &answer); err != nil {
			return nil, err
		}
		if answer.Value == nil {
			return nil, p.NotA(groupsEndpoint, "a list of groups")
		}
		if all, err = named(all, *answer.Value); err != nil {
			return nil, err
		}
		if answer.Next.Missing() {
			return all, nil
		}
		if path, query, err = p.next(groupsEndpoint, answer.Next); err != nil {
			return nil, err
		}
	}
	// Fail closed: a rule could be about one of the others.
	return nil, errors.New(groupsEndpoint + ": the device is a member of too many groups")
}

type group struct {
	ID   vendorjson.Text `json:"id"`
	Name vendorjson.Text `json:"displayName"`
}

// named adds groups to others. Fail closed: one without an ID or a name is a fault, because a rule could be about it.
func named(all []string, groups []vendorjson.Record[group]) ([]string, error) {
	for _, g := range groups {
		id, name := g.Value.ID.Said(), g.Value.Name.Said()
		switch {
		case g.Broken || !isGUID(id):
			return nil, errors.New(groupsEndpoint + ": the answer has a group that cannot be read")
		case name == "":
			return nil, errors.New(groupsEndpoint + ": the answer has a group without a name; the application lacks the permission GroupMember.Read.All with admin consent")
		}
		// Users who may create groups choose the names: one in the form of an ID must not pass for another group.
		if !isGroupID(name) && !isGUID(name) {
			all = append(all, name)
		}
		all = append(all, groupPrefix+strings.ToLower(id))
	}
	return all, nil
}

// person is what Entra has of a user.
type person struct {
	JobTitle   vendorjson.Text `json:"jobTitle"`
	Department vendorjson.Text `json:"department"`
}

// user asks for the user of a device. One without a user has neither a position nor a department.
func (p *Provider) user(ctx context.Context, r *record) (person, error) {
	id := r.UserID.Said()
	switch {
	case r.UserID.Kind == 'n' || r.UserID.Kind == '"' && (id == "" || id == noGUID):
		return person{}, nil
	case !isGUID(id):
		return person{}, errors.New(userEndpoint + ": the record of the device does not say which user it has")
	}
	body, err := p.Get(ctx, userEndpoint, "/v1.0/users/"+id, url.Values{"$select": {"jobTitle,department"}})
	if err != nil {
		return person{}, missing(err, userEndpoint, "Entra does not have the user of the device")
	}
	var of person
	if err := p.Decode(userEndpoint, "a user", body, &of); err != nil {
		return person{}, err
	}
	if of.JobTitle.Missing() || of.Department.Missing() {
		return person{}, p.NotA(userEndpoint, "a user")
	}
	return of, nil
}

// missing is the fault of a 404: the record of Intune says that there is such an object. It is never "not found", because the
// device exists.
func missing(err error, endpoint, text string) error {
	if vendorhttp.HasStatus(err, endpoint, http.StatusNotFound) {
		return errors.New(endpoint + " answered 404: " + text)
	}
	return err
}
