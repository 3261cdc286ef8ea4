package compat

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// question is the body of a query. Other members are ignored. Null is as good as missing.
type question struct {
	SerialNumber string `json:"serial_number"`
	UDID         string `json:"udid"`
}

// query answers whether a device is known: 200 without a body, or 404.
func (h *Handler) query(ctx context.Context, body []byte, event *Event) (answer, *problem) {
	var q question
	if err := json.Unmarshal(body, &q); err != nil {
		return answer{}, malformed("the body is not a JSON object with the texts serial_number and udid, each at most once")
	}
	event.Identifier, event.UDID = audit.Clean(q.SerialNumber, maxShown), audit.Clean(q.UDID, maxShown)
	// A text that can be no identifier is no device's, and empty is none for Known.
	q.SerialNumber, q.UDID = possible(q.SerialNumber), possible(q.UDID)
	if q.SerialNumber == "" && q.UDID == "" {
		// Fail closed: enrollhandler sends both empty for a device that says nothing of itself.
		return answer{}, unknownDevice(errors.New("the query has neither a serial number nor a UDID"))
	}
	known, err := h.Known(ctx, q.SerialNumber, q.UDID)
	switch {
	case err != nil:
		return answer{}, unavailable(err)
	case ctx.Err() != nil: // an answer that comes too late is none
		return answer{}, unavailable(ctx.Err())
	case !known:
		return answer{}, unknownDevice(errors.New("no inventory has the device, or it is not managed"))
	}
	return answer{status: http.StatusOK}, nil
}

func unknownDevice(cause error) *problem {
	return &problem{http.StatusNotFound, codeDeviceNotFound, cause}
}

// possible returns a text that can be an identifier, or else nothing.
func possible(text string) string {
	if _, err := posture.ParseIdentifier(text); err != nil {
		return ""
	}
	return text
}
