package mosyle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// record is a device as Mosyle describes it. Every value is a text, numbers and flags too.
type record struct {
	Serial     vendorjson.Text `json:"serial_number"`
	UDID       vendorjson.Text `json:"deviceudid"`
	Name       vendorjson.Text `json:"device_name"`
	Model      vendorjson.Text `json:"device_model"`
	ModelName  vendorjson.Text `json:"device_model_name"`
	OS         vendorjson.Text `json:"os"`
	OSVersion  vendorjson.Text `json:"osversion"`
	LastBeat   vendorjson.Text `json:"date_last_beat"`
	Enrolled   vendorjson.Text `json:"date_enroll"`
	Supervised vendorjson.Text `json:"is_supervised"`
	Deleted    vendorjson.Text `json:"is_deleted"`
	Status     vendorjson.Text `json:"status"`
	UserID     vendorjson.Text `json:"userid"`
	UserName   vendorjson.Text `json:"username"`
	UserEmail  vendorjson.Text `json:"useremail"`
	Tags       jsontext.Value  `json:"tags"`
	Custom     jsontext.Value  `json:"CustomDeviceAttributes"`

	// What is given as an attribute, under the name that it has here.
	UserType   vendorjson.Text `json:"usertype"`
	Location   vendorjson.Text `json:"location"`
	AssetTag   vendorjson.Text `json:"asset_tag"`
	Enrollment vendorjson.Text `json:"enrollment_type"`
	Management vendorjson.Text `json:"ManagementStatus"`
	LostMode   vendorjson.Text `json:"lostmode_status"`
	NeedsOS    vendorjson.Text `json:"needosupdate"`
	Passcode   vendorjson.Text `json:"has_password"`
	Activation vendorjson.Text `json:"isActivationLockEnabled"`
	Integrity  vendorjson.Text `json:"SystemIntegrityProtectionEnabled"`
	Attested   vendorjson.Text `json:"DeviceAttestationStatus"`
}

// device is what a record says, in lookups and in lists.
func (p *Provider) device(r *record) posture.Device {
	now := p.now()
	os, of := r.kind()
	d := posture.Device{Identifier: r.Serial.Said(), Type: of}
	d.Facts = posture.Facts{
		SerialNumber: r.Serial.Fact(), UDID: r.UDID.Fact(), Name: r.Name.Fact(),
		Model:     vendorjson.FirstKnown(r.ModelName.Fact(), r.Model.Fact()),
		OS:        os,
		OSVersion: r.OSVersion.Version(), Managed: r.managed(), Supervised: flag(r.Supervised),
		LastSeen: moment(r.LastBeat, now), EnrolledAt: moment(r.Enrolled, now),
		Groups: tags(r.Tags), Attributes: r.attributes(),
	}
	d.Facts.User.Username, d.Facts.User.RealName, d.Facts.User.EmailAddress = r.UserID.Fact(), r.UserName.Fact(), r.UserEmail.Fact()
	return d
}

// withData adds the data for the certificate, where they are wanted.
func (p *Provider) withData(d posture.Device, facts posture.FactSet) (posture.Device, error) {
	if !bool(p.config.Enrich) || !facts.Has(posture.Document) {
		return d, nil
	}
	data, err := vendorhttp.DocumentOf(&d)
	if err != nil {
		return posture.Device{}, fmt.Errorf("mosyle: %w", err)
	}
	d.Data = data
	return d, nil
}

// system is the operating system that the record is listed under; empty where the word is not known.
func (r *record) system() system {
	switch strings.ToLower(r.OS.Said()) {
	case "mac", "macos":
		return "mac"
	case "ios", "ipados":
		return "ios"
	case "tvos":
		return "tvos"
	case "visionos":
		return "visionos"
	}
	return ""
}

// kind is the operating system, and the type of the device. Mosyle says ios for iPads too; the model tells them from iPhones.
func (r *record) kind() (os posture.Fact[string], of posture.DeviceType) {
	is := func(prefix string) bool {
		return strings.HasPrefix(r.Model.Said(), prefix) || strings.HasPrefix(r.ModelName.Said(), prefix)
	}
	switch r.system() {
	case "mac":
		return posture.Known("macOS"), posture.Computer
	case "tvos":
		return posture.Known("tvOS"), posture.MobileDevice
	case "visionos":
		return posture.Known("visionOS"), posture.MobileDevice
	case "ios":
		iPad, iPhone := is("iPad"), is("iPhone") || is("iPod")
		switch {
		case strings.EqualFold(r.OS.Said(), "ipados"), iPad && !iPhone:
			return posture.Known("iPadOS"), posture.MobileDevice
		case iPhone && !iPad:
			return posture.Known("iOS"), posture.MobileDevice
		}
		return os, posture.MobileDevice
	}
	return os, of
}

// managed is whether Mosyle manages the device. Fail closed: with a word or a flag that is not known here it is unknown.
func (r *record) managed() posture.Fact[bool] {
	deleted, known := flag(r.Deleted).Get()
	switch {
	case deleted:
		return posture.Known(false)
	case !known && !r.Deleted.Missing() && (r.Deleted.Kind != '"' || r.Deleted.Any != ""):
		return posture.Fact[bool]{}
	case slices.Contains([]string{"IN", "INSTALLED"}, r.Status.Said()):
		return posture.Known(true)
	}
	return posture.Fact[bool]{}
}

// flag is "1" or "0".
func flag(t vendorjson.Text) posture.Fact[bool] {
	switch t.Any {
	case "1":
		return posture.Known(true)
	case "0":
		return posture.Known(false)
	}
	return posture.Fact[bool]{}
}

// moment is a time in whole Unix seconds.
func moment(t vendorjson.Text, now time.Time) posture.Fact[time.Time] {
	seconds, err := strconv.ParseInt(t.Any, 10, 64)
	if err != nil {
		return posture.Fact[time.Time]{}
	}
	return posture.Moment(time.Unix(seconds, 0).UTC(), now)
}

// tags are a list of texts, or a text with commas. A list with anything else in it is unknown as a whole: a tag that is
// missing could be one that a rule forbids.
func tags(value jsontext.Value) posture.Fact[[]string] {
	all := []string{}
	switch value.Kind() {
	case '[':
		var elements []vendorjson.Text
		if json.Unmarshal(value, &elements) != nil {
			return posture.Fact[[]string]{}
		}
		for _, e := range elements {
			if e.Said() == "" {
				return posture.Fact[[]string]{}
			}
			all = append(all, e.Said())
		}
	case '"':
		var text string
		if json.Unmarshal(value, &text) != nil {
			return posture.Fact[[]string]{}
		}
		for tag := range strings.SplitSeq(text, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				all = append(all, tag)
			}
		}
	default:
		return posture.Fact[[]string]{}
	}
	return posture.Known(all)
}

// attributes are the custom device attributes by their names, and what else the record says. A custom attribute never has the
// name of one of the others: scripts on the device may set its value, and it would be taken for what Mosyle says.
func (r *record) attributes() posture.Fact[map[string]string] {
	own := map[string]vendorjson.Text{
		"usertype": r.UserType, "location": r.Location, "asset_tag": r.AssetTag, "enrollment_type": r.Enrollment,
		"ManagementStatus": r.Management, "lostmode_status": r.LostMode, "needosupdate": r.NeedsOS, "has_password": r.Passcode,
		"isActivationLockEnabled": r.Activation, "SystemIntegrityProtectionEnabled": r.Integrity, "DeviceAttestationStatus": r.Attested,
	}
	all, readable := custom(r.Custom)
	if !readable {
		return posture.Fact[map[string]string]{}
	}
	for name, value := range own {
		delete(all, name)
		if value.Any != "" {
			all[name] = value.Any
		}
	}
	return posture.Known(all)
}

// custom reads the custom attributes: a JSON document inside of a text, or the document itself. Fail closed: one that cannot be
// read makes all attributes unknown. A name that stands for two different values is unknown.
func custom(value jsontext.Value) (all map[string]string, readable bool) {
	var text string
	switch kind := value.Kind(); {
	case len(value) == 0 || kind == 'n':
		return map[string]string{}, true
	case kind == '"' && json.Unmarshal(value, &text) != nil:
		return nil, false
	case kind == '"' && strings.TrimSpace(text) == "":
		return map[string]string{}, true
	case kind == '"':
		value = jsontext.Value(text)
	}
	type attribute struct {
		Name  vendorjson.Text `json:"Name"`
		Value jsontext.Value  `json:"Value"`
	}
	var elements []vendorjson.Record[attribute]
	if value.Kind() != '[' || json.Unmarshal(value, &elements) != nil {
		return nil, false
	}
	all, unclear := map[string]string{}, map[string]bool{}
	for _, e := range elements {
		name := e.Value.Name.Said()
		if e.Broken || name == "" {
			return nil, false // whose value it is, is not known
		}
		is, known := textOf(e.Value.Value)
		before, twice := all[name]
		if !known || twice && before != is {
			unclear[name] = true
		}
		all[name] = is
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return unclear[name] })
	return all, true
}

// textOf is the value of an attribute: a text, number or truth value as it is written, anything else as compact JSON.
func textOf(value jsontext.Value) (text string, known bool) {
	if kind := value.Kind(); kind == '[' || kind == '{' {
		compact := value.Clone()
		err := compact.Compact()
		return string(compact), err == nil
	}
	var t vendorjson.Text
	err := t.UnmarshalJSON(value)
	return t.Any, err == nil && t.Any != ""
}
