"""The live switch: moving an app's data to another database while the app goes on writing."""
