package eventlog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	manifestFile = "BACKUP.json"
	backupFormat = "tidings backup 1"
	tableSuffix  = ".sst"
	copyBytes    = 1 << 20
)

// Manifest describes a backup: it is its file BACKUP.json.
type Manifest struct {
	Format  string    `json:"format"`
	Log     string    `json:"log"`  // format of the log
	Head    Position  `json:"head"` // of the log
	Created time.Time `json:"created"`
	Files   []File    `json:"files"` // all but the manifest itself
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() int64 {
	var all int64
	for _, f := range m.Files {
		all += f.Bytes
	}
	return all
}

// ErrNoBackup answers reading a backup from a directory that is none, or none that is whole.
var ErrNoBackup = errors.New("this is no whole backup")

// ErrBackup answers opening a backup as if it were a log: it would then be none any more, and would use positions again.
var ErrBackup = errors.New("this is a backup: restore it, and open what that makes")

// checkNoBackup refuses directories that a backup or restore has made, or was making.
func checkNoBackup(disk vfs.FS, dir string) error {
	if _, err := disk.Stat(disk.PathJoin(dir, manifestFile)); err == nil {
		return ErrBackup
	}
	if _, err := disk.Stat(disk.PathJoin(dir, incompleteFile)); err == nil {
		return fmt.Errorf("%w: it was interrupted, and has the file %s", ErrNoBackup, incompleteFile)
	}
	return nil
}

func (m *Manifest) write(disk vfs.FS, dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(disk, disk.PathJoin(dir, manifestFile), append(text, '\n'))
}

// writeFile writes a file durably; its directory is the caller's to sync.
func writeFile(disk vfs.FS, path string, text []byte) error {
	file, err := disk.Create(path, fileCategory)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// readManifest reads the description of a whole backup.
func readManifest(disk vfs.FS, dir string) (*Manifest, error) {
	if _, err := disk.Stat(disk.PathJoin(dir, incompleteFile)); err == nil {
		return nil, fmt.Errorf("%w: it was interrupted, and has the file %s", ErrNoBackup, incompleteFile)
	}
	file, err := disk.Open(disk.PathJoin(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no %s", ErrNoBackup, manifestFile)
	}
	if err != nil {
		return nil, err
	}
	const most = 64 << 20 // a million files
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", manifestFile, err)
	}
	m := &Manifest{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w: %w", manifestFile, ErrCorrupt, err)
	}
	if m.Format != backupFormat || m.Log != format {
		return nil, fmt.Errorf("its format is %q of %q, this program knows %q of %q: %w", m.Format, m.Log, backupFormat, format, errOtherFormat)
	}
	for _, f := range m.Files {
		if f.Name == "" || f.Name == manifestFile || f.Name != disk.PathBase(f.Name) {
			return nil, fmt.Errorf("%s names a file %q: %w", manifestFile, f.Name, ErrCorrupt)
		}
	}
	return m, nil
}

// describeFiles lists a directory's files and makes them durable; known has those that are, with their digests.
func describeFiles(ctx context.Context, disk vfs.FS, dir string, known map[string]File) ([]File, error) {
	names, err := disk.List(dir)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var files []File
	for _, name := range names {
		if name == incompleteFile {
			continue
		}
		file, ok := known[name]
		if !ok {
			path := disk.PathJoin(dir, name)
			if file, err = digestFile(ctx, disk, path, &copyProgress{}); err != nil {
				return nil, err
			}
			if err := syncFile(disk, path); err != nil {
				return nil, err
			}
		}
		files = append(files, file)
	}
	return files, nil
}

// copyFile copies durably, and answers what was read.
func copyFile(ctx context.Context, disk vfs.FS, from, to string, progress *copyProgress) (File, error) {
	target, err := disk.Create(to, fileCategory)
	if err != nil {
		return File{}, err
	}
	file, err := readThrough(ctx, disk, from, target, progress)
	if err == nil {
		err = target.Sync()
	}
	return file, errors.Join(err, target.Close())
}

func syncFile(disk vfs.FS, path string) error {
	file, err := disk.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// digestFile only reads a file.
func digestFile(ctx context.Context, disk vfs.FS, path string, progress *copyProgress) (File, error) {
	return readThrough(ctx, disk, path, io.Discard, progress)
}

func readThrough(ctx context.Context, disk vfs.FS, path string, to io.Writer, progress *copyProgress) (_ File, err error) {
	source, err := disk.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return File{}, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	digest := sha256.New()
	n, err := copyAll(ctx, io.MultiWriter(digest, to), source, progress)
	return File{Name: disk.PathBase(path), Bytes: n, SHA256: hexOf(digest)}, err
}

func copyAll(ctx context.Context, to io.Writer, from io.Reader, progress *copyProgress) (all int64, _ error) {
	buffer := make([]byte, copyBytes)
	for {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		n, err := from.Read(buffer)
		if _, err := to.Write(buffer[:n]); err != nil {
			return all, err
		}
		all += int64(n)
		progress.add(int64(n))
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

func hexOf(digest hash.Hash) string { return hex.EncodeToString(digest.Sum(nil)) }

// checkRoom says early that there will not be enough, where the file system can tell.
func checkRoom(disk vfs.FS, dir string, needed int64) error {
	usage, err := disk.GetDiskUsage(dir)
	if err == nil && clamp(usage.AvailBytes) < needed {
		return fmt.Errorf("%w: %d MiB are needed in %s, %d are free", errNoRoom, needed/mebibyte+1, strings.TrimSuffix(dir, partialSuffix), clamp(usage.AvailBytes)/mebibyte)
	}
	return nil
}

var errNoRoom = errors.New("there is not enough room")

// copyProgress tells of copying now and then.
type copyProgress struct {
	tell        Progress
	step        string // "": StepCopy
	done, total int64
	told        time.Time
}

func (p *copyProgress) add(n int64) {
	p.done += n
	if p.tell != nil && time.Since(p.told) >= betweenTold {
		p.told = time.Now()
		p.tell(cmp.Or(p.step, StepCopy), p.done, max(p.done, p.total))
	}
}
