package queries

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// Page is a part of a list.
type Page[T any] struct {
	Items      []T             `json:"items"`       // never nil
	NextCursor string          `json:"next_cursor"` // "" exactly when nothing follows
	Position   events.Position `json:"position"`    // the checkpoint of the snapshot
}

// pageQuery is how one page of a list is read.
type pageQuery[T any] struct {
	doing   string
	list    list
	limit   int
	demands []AtLeast
	sql     string // gives one more than the limit where it can
	args    []any
	scan    func(row) (T, error)
	last    func(T) string // what the cursor remembers
}

func (p pageQuery[T]) read(ctx context.Context, q *Queries) (Page[T], error) {
	page := p.empty()
	at, err := q.rows(ctx, p.doing, p.demands, p.into(&page), p.sql, p.args...)
	if err != nil {
		return Page[T]{}, err
	}
	page.Position = at
	p.cut(&page)
	return page, nil
}

func (p pageQuery[T]) empty() Page[T] { return Page[T]{Items: []T{}} }

// into adds rows to a page.
func (p pageQuery[T]) into(page *Page[T]) func(row) error {
	return func(r row) error {
		item, err := p.scan(r)
		page.Items = append(page.Items, item)
		return err
	}
}

// cut leaves as many items as were asked for, and a cursor where there are more.
func (p pageQuery[T]) cut(page *Page[T]) {
	if len(page.Items) > p.limit {
		page.Items = page.Items[:p.limit]
		page.NextCursor = p.list.cursor(p.last(page.Items[p.limit-1]))
	}
}

// named checks what a list that is paged by name was asked.
func named(doing string, l list, cursor string, size, most int) (last string, err error) {
	if err := limit(size, most); err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	if last, err = l.last(cursor); err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return last, nil
}
