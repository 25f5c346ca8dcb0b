import { sinkContract } from './sink-contract.ts';

sinkContract('a docker archive', 'docker-archive:FOLDER/app.tar');
sinkContract('an OCI layout', 'oci:FOLDER/app');
sinkContract('an OCI archive', 'oci-archive:FOLDER/app.tar');
sinkContract('an archive of imgpull', 'docker-archive:FOLDER/app.tar', { layout: 'imgpull' });
sinkContract('an archive of crpy', 'docker-archive:FOLDER/app.tar', { layout: 'crpy' });
