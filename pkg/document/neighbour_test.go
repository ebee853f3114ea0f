package document

import "testing"

// While a fleet is upgraded, workers and servers of the version before read
// the records that this one writes: the fields that they go by stay, each in
// its old form.
func TestRecordsSuitTheVersionBefore(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		d := f.get(up.DocumentID)
		hash := f.hash(d.ID)
		for field, want := range map[string]string{
			"schema": "1", "owner": DefaultOwner, "status": "awaiting_upload", "filename": "manual.pdf", "file_size": "5",
			"content_type": "application/pdf", "upload_id": up.UploadID, "upload_key": UploadKey(d.ID, up.UploadID),
			"upload_expires_at": stamp(d.UploadExpiresAt), "created_at": stamp(d.CreatedAt), "job_id": d.JobID,
		} {
			if hash[field] != want {
				t.Errorf("%s is %q, the version before needs %q", field, hash[field], want)
			}
		}
		upload, err := f.rdb.HGetAll(t.Context(), f.k.upload(up.UploadID)).Result()
		if err != nil {
			t.Fatal(err)
		}
		if upload["document_id"] != d.ID || upload["key"] != UploadKey(d.ID, up.UploadID) {
			t.Errorf("the upload's hash is %v", upload)
		}
	})
}
