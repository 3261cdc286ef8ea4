package iru

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

const (
	devicesPath     = "/api/v1/devices"
	devicesEndpoint = "devices"
	listOfDevices   = "a list of devices"
)

// search returns all records whose serial number contains the text. Fail closed: where the pages do not end, the answer is
// not complete, and a device that is in none of them may be in the next.
func (p *Provider) search(ctx context.Context, serial string) ([]vendorjson.Record[record], error) {
	var found []vendorjson.Record[record]
	for range maxSearchPages {
		page, err := p.page(ctx, url.Values{"serial_number": {serial}}, pageSize, len(found))
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
		if len(page) < pageSize {
			return found, nil
		}
	}
	return nil, fmt.Errorf("the search for the serial number found %d records and more", len(found))
}

// page asks for one page of devices.
func (p *Provider) page(ctx context.Context, query url.Values, size, offset int) ([]vendorjson.Record[record], error) {
	query.Set("limit", strconv.Itoa(size))
	query.Set("offset", strconv.Itoa(offset))
	body, err := p.Get(ctx, devicesEndpoint, devicesPath, query)
	if err != nil {
		return nil, err
	}
	var page *[]vendorjson.Record[record]
	if err := p.Decode(devicesEndpoint, listOfDevices, body, &page); err != nil {
		return nil, err
	}
	if page == nil {
		return nil, p.NotA(devicesEndpoint, listOfDevices) // null
	}
	if len(*page) > size {
		return nil, fmt.Errorf("%s: the answer has %d records, and %d were asked for", devicesEndpoint, len(*page), size)
	}
	return *page, nil
}

// errUnfiltered says that the server did not search.
var errUnfiltered = errors.New("the search for the serial number returned records that do not contain it")

// unfiltered is the error of a search that found no record of the device. Fail closed: where other records do not even contain
// the serial number, the server has ignored what it was asked for, and may have left out any record.
func unfiltered(err error, q posture.Query, found []vendorjson.Record[record]) error {
	if !errors.Is(err, posture.ErrNotFound) {
		return err
	}
	for i := range found {
		if !strings.Contains(strings.ToUpper(found[i].Value.Serial.Said()), strings.ToUpper(q.Identifier.Key())) {
			return errUnfiltered
		}
	}
	return err
}
