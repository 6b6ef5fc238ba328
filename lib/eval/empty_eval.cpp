// eval
