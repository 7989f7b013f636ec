module testapp

go 1.24.0
