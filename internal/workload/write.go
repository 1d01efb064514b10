package workload

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// Write writes the workload's text, which Read takes back: one object a line, members in the format's order.
func (w *Workload) Write(to io.Writer) error {
	buffered := bufio.NewWriterSize(to, 64<<10)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	for i := range w.Ops {
		if err := lines.Encode(w.Ops[i].line()); err != nil {
			return fmt.Errorf("write line %d: %w", i+1, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write workload: %w", err)
	}
	return nil
}

// sealed numbers the lines of ops and computes their digest.
func sealed(ops []Op) (*Workload, error) {
	for i := range ops {
		ops[i].Line = i + 1
	}
	w := &Workload{Ops: ops}
	digest := sha256.New()
	if err := w.Write(digest); err != nil {
		return nil, err
	}
	w.Digest = hex.EncodeToString(digest.Sum(nil))
	return w, nil
}

func (o *Op) line() any {
	at := o.At.UTC()
	if o.Kind == Publish {
		return publishLine{
			At: &at, Op: o.Kind, ID: o.ID, Topics: o.Topics,
			Sender: o.Sender, Severity: o.Severity, Title: o.Title,
		}
	}
	return membershipLine{At: &at, Op: o.Kind, User: o.User, Topic: o.Topic}
}
