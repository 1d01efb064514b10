package workload

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// progressSoFar is what the log knows of a workload.
type progressSoFar struct {
	done          []bool            // by line - 1
	notifications map[string]string // notification id → publish id
	last          uint64            // the highest position a line caused
}

// correlation names the line of this workload in its request and in the events that it causes.
func (w *Workload) correlation(line int) string {
	return w.correlationPrefix() + strconv.Itoa(line)
}

func (w *Workload) correlationPrefix() string { return "import-" + w.Digest[:16] + "-" }

// resume reads from the log which lines are done already.
func (w *Workload) resume(ctx context.Context, s *Server) (*progressSoFar, error) {
	p := &progressSoFar{done: make([]bool, len(w.Ops)), notifications: map[string]string{}}
	for _, category := range []string{"subscription", "notification"} {
		after := ""
		for {
			events, err := s.auditPage(ctx, category, after)
			if err != nil {
				return nil, err
			}
			if len(events) == 0 {
				break
			}
			for i := range events {
				if err := p.note(w, &events[i]); err != nil {
					return nil, err
				}
			}
			next := events[len(events)-1].Position
			if next == after {
				return nil, fmt.Errorf("the audit log of %s does not end: position %s comes again", category, next)
			}
			after = next
		}
	}
	p.inferChanges(w.Ops)
	return p, nil
}

// note takes one event of the log.
func (p *progressSoFar) note(w *Workload, e *auditEvent) error {
	number, ours := strings.CutPrefix(e.Metadata.CorrelationID, w.correlationPrefix())
	if !ours {
		return nil
	}
	line, err := strconv.Atoi(number)
	if err != nil || line < 1 || line > len(w.Ops) {
		return fmt.Errorf("the event at %s says it is line %q, which the workload does not have", e.Position, number)
	}
	position, err := strconv.ParseUint(e.Position, 10, 64)
	if err != nil {
		return fmt.Errorf("read position of line %d: %w", line, err)
	}
	p.done[line-1] = true
	p.last = max(p.last, position)
	if op := &w.Ops[line-1]; op.Kind == Publish {
		if id, ok := strings.CutPrefix(e.Stream, "notification-"); ok {
			p.notifications[id] = op.ID
		}
	}
	return nil
}

// inferChanges finds the subscribes and unsubscribes that are done but changed nothing, so that the log does not name
// them: an op that had to wait for them is done. Repeating one of the others is harmless for the same reason. A publish
// always has its event, or is answered again by its key.
func (p *progressSoFar) inferChanges(ops []Op) {
	published := map[string]bool{} // a later publish to the topic is done
	changed := map[pair]bool{}     // a later op of the pair is done
	for i := len(ops) - 1; i >= 0; i-- {
		op := &ops[i]
		if op.Kind == Publish {
			if p.done[i] {
				for _, topic := range op.Topics {
					published[topic] = true
				}
			}
			continue
		}
		p.done[i] = p.done[i] || published[op.Topic] || changed[op.pair()]
		if p.done[i] {
			changed[op.pair()] = true
		}
	}
}
