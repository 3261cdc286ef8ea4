package doors

// Waiting returns how many questions wait for the answer of an equal one, or for their own.
func (h *Handler) Waiting() int { return h.doors.Load().answers.Load().flights.Waiting() }
