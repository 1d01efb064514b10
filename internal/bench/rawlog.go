package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// rawLog is the floor of the log: records one behind the other in a file, all that wait made durable by one fsync. It knows no streams,
// decides nothing, and finds nothing again but by reading it all.
type rawLog struct {
	file  *os.File
	queue chan *rawAppend
	done  chan error
}

type rawAppend struct {
	stream string
	event  eventlog.Event
	answer chan error
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rawHead is the length and the checksum before each record.
const rawHead = 8

func openRaw(name string) (*rawLog, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	l := &rawLog{file: file, queue: make(chan *rawAppend, 1024), done: make(chan error, 1)}
	go func() { l.done <- l.commit() }()
	return l, nil
}

func (l *rawLog) append(stream string, event eventlog.Event) error {
	a := &rawAppend{stream: stream, event: event, answer: make(chan error, 1)}
	l.queue <- a
	return <-a.answer
}

func (l *rawLog) close() error {
	close(l.queue)
	return errors.Join(<-l.done, l.file.Close())
}

func (l *rawLog) commit() error {
	var buf []byte
	var group []*rawAppend
	for first := range l.queue {
		buf, group = appendRaw(buf[:0], first), append(group[:0], first)
		for more := true; more; {
			select {
			case a, ok := <-l.queue:
				if more = ok; ok {
					buf, group = appendRaw(buf, a), append(group, a)
				}
			default:
				more = false
			}
		}
		_, err := l.file.Write(buf)
		if err == nil {
			err = l.file.Sync()
		}
		for _, a := range group {
			a.answer <- err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func appendRaw(buf []byte, a *rawAppend) []byte {
	start := len(buf)
	buf = append(buf, make([]byte, rawHead)...)
	buf = append(buf, a.event.ID[:]...)
	for _, field := range [][]byte{[]byte(a.stream), []byte(a.event.Type), a.event.Metadata} {
		buf = append(binary.AppendUvarint(buf, uint64(len(field))), field...)
	}
	buf = append(buf, a.event.Data...)
	own := buf[start:]
	binary.LittleEndian.PutUint32(own, uint32(len(own)-rawHead)) // some hundred bytes
	binary.LittleEndian.PutUint32(own[4:], crc32.Checksum(own[rawHead:], castagnoli))
	return buf
}

// readRaw reads a file of records to its end and counts them.
func readRaw(name string) (events int, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // it was read
	reader := bufio.NewReaderSize(file, 128<<10)
	head := make([]byte, rawHead)
	for ; ; events++ {
		if _, err := io.ReadFull(reader, head); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return events, err
		}
		record := make([]byte, binary.LittleEndian.Uint32(head))
		if _, err := io.ReadFull(reader, record); err != nil {
			return events, err
		}
		if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return events, fmt.Errorf("record %d of %s has a wrong checksum", events, name)
		}
	}
}
